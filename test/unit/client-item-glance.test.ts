import assert from 'node:assert/strict';
import { test } from 'node:test';
import { glanceOf } from '../../client/item-glance.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import type { RecoveryStatus } from '../../model/recovery.ts';
import { firstState, statusOf } from '../../workflows/state.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

const request = makeRequest();
const { recoveryId } = summaryOf(request);
assert.ok(recoveryId);
const fresh = statusOf(request, firstState(request, recoveryId, '2026-11-20T03:00:00.000Z'));

function glance(changes: Partial<RecoverySummary>, status: Partial<RecoveryStatus> = {}) {
	return glanceOf(summaryOf(request, { ...changes, status: { ...fresh, ...status } }));
}

const parked = {
	code: 'chunk_bad',
	reason: 'a chunk',
	since: '2026-11-20T03:00:00.000Z',
	next: { order: 'retry' },
} as const;
const nothing = { recoveryId, batch: null, closed: null, readiness: null, parked: false, code: null, reason: null };

test('`glanceOf` a recovery that runs says how ready it is, and what parked it', () => {
	const open = { phase: 'running', workflow: 'RUNNING' } as const;
	const late = { is: 'not_ready', until: null, code: 'not_ready', reason: 'silent' } as const;
	assert.deepEqual(glance(open), { ...nothing, phase: 'running' });
	assert.deepEqual(glance(open, { readiness: { ...late, is: 'ready' } }).readiness, 'ready');
	assert.deepEqual(glance(open, { readiness: late, parked }), {
		...nothing,
		phase: 'running',
		readiness: 'not_ready',
		parked: true,
		code: 'chunk_bad',
		reason: 'a chunk',
	});
});

test('`glanceOf` a recovery that is over says how it ended, and waits for nobody', () => {
	const failure = { code: 'space_short', message: 'no room' } as const;
	assert.deepEqual(glance({ phase: 'starting', workflow: 'FAILED' }, { failure, parked }), {
		...nothing,
		phase: 'failed',
		closed: 'ended',
		code: 'space_short',
		reason: 'no room',
	});
	assert.equal(glance({ batch: 'site' }).batch, 'site');
	assert.deepEqual(glance({}), { ...nothing, phase: 'finished', closed: 'ended' });
	const forced = glance({ phase: 'running', workflow: 'TERMINATED' }, { parked });
	assert.deepEqual([forced.closed, forced.phase, forced.parked], ['force', 'running', false]);
	assert.equal(glanceOf(summaryOf(request, { recoveryId: undefined })).recoveryId, null);
});
