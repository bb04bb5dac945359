import assert from 'node:assert/strict';
import { test } from 'node:test';
import { noteOf } from '../../cli/recover/wait.ts';
import type { PendingStep } from '../../client/summaries.ts';

const step: PendingStep = {
	step: 'reserve',
	attempt: 1,
	running: true,
	worker: undefined,
	lastFailure: undefined,
	says: undefined,
	scheduledAt: undefined,
};

test('whoever waits is told what the recovery waits for', () => {
	const note = (changes: Partial<PendingStep>) => noteOf({ phase: 'waiting', pending: [{ ...step, ...changes }] });
	assert.equal(note({}), 'waiting');
	assert.equal(note({ running: false }), 'waiting: reservation on the host, attempt 1: waits for a worker');
	const lastFailure = { code: 'host_busy', message: '8 of 8 recoveries are unfinished' } as const;
	assert.equal(
		note({ attempt: 4, lastFailure }),
		'waiting: reservation on the host, attempt 4: failed, 8 of 8 recoveries are unfinished',
	);
});
