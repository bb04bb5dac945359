import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { exitOf } from '../../cli/recover/show.ts';
import { decideStart, hasEnded, hashRequest, reportedPower, tooLate } from '../../client/start-decision.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import { makeRequest } from '../equipment/recovery-request.ts';

const request = makeRequest();
const hash = hashRequest(request);

function existing(changes: Partial<RecoverySummary>): RecoverySummary {
	return {
		name: request.name,
		recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
		phase: 'finished',
		workflow: 'COMPLETED',
		request,
		requestHash: hash,
		status: undefined,
		requestedAt: '2026-11-20T03:00:00.000Z',
		closedAt: undefined,
		workflowId: `recovery/${request.name}`,
		runId: 'r',
		...changes,
	};
}

describe('the name of a finished recovery', () => {
	it('is used again with --again once its machine was removed', () => {
		assert.equal(decideStart(existing({}), hash, { again: true, removed: true }), undefined);
	});

	it('is not while its machine is there, and the way to free it is said', () => {
		assert.throws(() => decideStart(existing({}), hash, { again: true, removed: false }), {
			code: 'name_conflict',
			hint: /rouse host remove web01-r1 --confirm web01-r1/,
		});
	});

	it('is already_finished for the same request, and taken for another', () => {
		const plainly = { again: false, removed: false };
		assert.equal(decideStart(existing({}), hash, plainly), 'already_finished');
		assert.throws(() => decideStart(existing({}), 'd'.repeat(64), plainly), { code: 'name_conflict' });
	});
});

describe('a recovery whose workflow was ended by force', () => {
	it('has ended, whatever its phase, and ends a watch with a conflict', () => {
		const { phase, workflow } = existing({ phase: 'migrating', workflow: 'TERMINATED' });
		assert.equal(hasEnded({ phase, workflow }), true);
		assert.equal(hasEnded({ phase, workflow: 'RUNNING' }), false);
		assert.equal(exitOf({ phase, workflow, failure: null }), 6);
	});

	it('keeps its name, with --again too', () => {
		const ended = existing({ phase: 'running', workflow: 'TERMINATED' });
		assert.throws(() => decideStart(ended, hash, { again: true, removed: true }), { code: 'name_conflict' });
	});
});

describe('an order that nobody takes any more', () => {
	it('for a finished machine names the command of the host that does it', () => {
		assert.equal(
			tooLate(existing({}), 'discard').hint?.includes('rouse host remove web01-r1 --confirm web01-r1'),
			true,
		);
		assert.match(tooLate(existing({}), 'power').hint ?? '', /rouse host stop web01-r1/);
	});

	it('says that the workflow was ended by force, not that the phase is over', () => {
		const { message } = tooLate(existing({ phase: 'migrating', workflow: 'TERMINATED' }), 'discard');
		assert.match(message, /ended by force in Temporal \(terminated\)/);
		assert.doesNotMatch(message, /too late/);
	});
});

it('the power that a finished recovery was left with is not told as that of now', () => {
	const status = { power: 'on' } as NonNullable<RecoverySummary['status']>; // nothing else of it is looked at
	assert.equal(reportedPower({ phase: 'finished', status }), null);
	assert.equal(reportedPower({ phase: 'running', status }), 'on');
});
