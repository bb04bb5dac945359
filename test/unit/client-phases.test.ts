import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasEnded, hasReached, reportedPower } from '../../client/phases.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

test('a recovery whose workflow was ended by force has ended, whatever its phase', () => {
	assert.equal(hasEnded({ phase: 'migrating', workflow: 'TERMINATED' }), true);
	assert.equal(hasEnded({ phase: 'migrating', workflow: 'RUNNING' }), false);
});

test('the power that a finished recovery was left with is not told as that of now', () => {
	const status = { power: 'on' } as NonNullable<RecoverySummary['status']>; // nothing else of it is looked at
	assert.equal(reportedPower({ phase: 'finished', status }), null);
	assert.equal(reportedPower({ phase: 'running', status }), 'on');
});

test('a wait ends with parked, and the details have the order that goes on and what comes before it', () => {
	const next = { order: 'retry', first: 'make room in /srv' };
	const status = { parked: { code: 'space_short', reason: 'full', since: '', next } };
	const parked = summaryOf(makeRequest(), {
		phase: 'migrating',
		workflow: 'RUNNING',
		status: status as RecoverySummary['status'], // nothing else of it is looked at
	});
	assert.equal(hasReached(parked, 'running', false), true);
	assert.equal(hasReached(parked, 'migrated', true), false);
	assert.throws(() => hasReached(parked, 'migrated', false), {
		code: 'parked',
		details: { recovery: 'web01-r1', code: 'space_short', next: 'retry', first: 'make room in /srv' },
	});
});
