import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hashRequest } from '../../client/requests.ts';
import { decideItemStart, decideStart } from '../../client/start-decision.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import { firstState, statusOf } from '../../workflows/state.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

const request = makeRequest();
const hash = hashRequest(request);
const fresh = statusOf(request, firstState(request, summaryOf(request).recoveryId ?? '', '2026-11-20T03:00:00.000Z'));
const existing = (changes: Partial<RecoverySummary>) => summaryOf(request, changes);

describe('the name of a finished recovery', () => {
	it('is used again with again once its machine was removed', () => {
		assert.equal(decideStart(existing({}), hash, { again: true, removed: true }), undefined);
	});

	it('is not while its machine is there, and how it stands is said', () => {
		assert.throws(() => decideStart(existing({}), hash, { again: true, removed: false }), {
			code: 'name_conflict',
			details: { recovery: 'web01-r1', phase: 'finished', workflow: 'COMPLETED' },
		});
	});

	it('is a conflict that says so without again, for the same request too', () => {
		for (const wanted of [hash, 'd'.repeat(64)])
			assert.throws(() => decideStart(existing({}), wanted, { again: false, removed: true }), {
				code: 'name_conflict',
				message: /its machine was removed from the host/,
				details: { recovery: 'web01-r1', phase: 'finished', workflow: 'COMPLETED', removed: true },
			});
	});

	it('is already_finished for the same request, and taken for another', () => {
		const plainly = { again: false, removed: false };
		assert.equal(decideStart(existing({}), hash, plainly), 'already_finished');
		assert.throws(() => decideStart(existing({}), 'd'.repeat(64), plainly), { code: 'name_conflict' });
	});
});

it('a batch that is started with again has its finished machines back, and only those that were removed begin anew', () => {
	const decide = (changes: Partial<RecoverySummary>, removed: boolean) =>
		decideItemStart(existing(changes), hash, { again: true, removed });
	assert.equal(decide({}, false), 'already_finished');
	assert.equal(decide({}, true), undefined);
	assert.equal(decide({ phase: 'discarded' }, false), undefined);
});

it('a recovery whose workflow was ended by force keeps its name as long as its host has it, with again too', () => {
	const ended = existing({ phase: 'running', workflow: 'TERMINATED' });
	for (const how of [
		{ again: true, removed: false },
		{ again: false, removed: true },
	])
		assert.throws(() => decideStart(ended, hash, how), { code: 'name_conflict' });
	assert.equal(decideStart(ended, hash, { again: true, removed: true }), undefined);
});

it('the name of an abandoned recovery is used again with again, and not without', () => {
	const abandoned = existing({ phase: 'abandoned' });
	assert.equal(decideStart(abandoned, hash, { again: true, removed: false }), undefined);
	assert.throws(() => decideStart(abandoned, hash, { again: false, removed: false }), {
		code: 'name_conflict',
		message: /was abandoned/,
	});
});

describe('the name of a recovery that failed since its machine may be on a host of its pool', () => {
	const pool = ['kvm1', 'kvm2'].map(host => ({ host, hostId: request.hostId }));
	const lost = summaryOf(
		{ ...request, pool },
		{
			phase: 'failed',
			workflow: 'FAILED',
			status: { ...fresh, failure: { code: 'place_unknown', message: 'its history was put back' } },
		},
	);

	it('is used again with again, and not without', () => {
		assert.equal(decideStart(lost, hash, { again: true, removed: false }), undefined);
		assert.throws(() => decideStart(lost, hash, { again: false, removed: false }), {
			code: 'place_unknown',
			message: /on kvm1 or kvm2: started again it may run twice/,
			details: { recovery: 'web01-r1' },
		});
	});

	it('is to a batch only where it is named, whatever is said of all', () => {
		const decide = (how: { again: boolean; named: boolean }) => decideItemStart(lost, hash, { ...how, removed: false });
		assert.throws(() => decide({ again: true, named: false }), { code: 'place_unknown' });
		assert.equal(decide({ again: false, named: true }), undefined);
	});
});
