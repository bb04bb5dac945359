import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextSteps } from '../../client/next-steps.ts';
import type { Policy } from '../../model/recovery.ts';

const policy: Policy = { finish: 'manual', switch: 'manual', maxRateBytes: 0 };
const running = {
	phase: 'running',
	workflow: 'RUNNING',
	parked: null,
	stalled: null,
	power: 'on',
	policy,
	removed: false,
	failure: null,
} as const;

test('what can be done with a running machine is to keep it or to throw it away', () => {
	assert.deepEqual(nextSteps(running), [
		{ step: 'order', order: 'migrate' },
		{ step: 'order', order: 'discard' },
	]);
});

test('what policy does by itself is not offered as an order', () => {
	assert.deepEqual(nextSteps({ ...running, policy: { ...policy, finish: 'migrate' } }), [
		{ step: 'watch', comes: 'migrate' },
	]);
	assert.deepEqual(nextSteps({ ...running, phase: 'migrated', policy: { ...policy, switch: 'auto' } }), [
		{ step: 'watch', comes: 'switch' },
	]);
});

test('a parked recovery has what it waits for as its only step', () => {
	const next = { order: 'retry', first: 'mend that disk' } as const;
	const parked = { code: 'io_failed', reason: 'EIO', since: '2026-11-20T03:00:00.000Z', next } as const;
	assert.deepEqual(nextSteps({ ...running, parked }), [{ step: 'order', ...next }]);
});

test('a machine that is off is offered to be powered on first', () => {
	assert.deepEqual(nextSteps({ ...running, power: 'off' })[0], { step: 'order', order: 'power-on' });
	assert.deepEqual(nextSteps({ ...running, power: 'off', phase: 'switching' }), [{ step: 'watch' }]);
});

test('nobody is offered to throw a recovery away that only waits for what is away', () => {
	for (const phase of ['running', 'migrating', 'migrated'] as const)
		assert.deepEqual(nextSteps({ ...running, phase, stalled: {} }), [{ step: 'source' }]);
});

test('a workflow that was ended by force is to be adopted, even when it was parked', () => {
	assert.deepEqual(nextSteps({ ...running, workflow: 'TERMINATED' }), [{ step: 'adopt' }]);
	assert.deepEqual(nextSteps({ ...running, phase: 'finished', workflow: 'COMPLETED' }), [
		{ step: 'host', power: 'on' },
	]);
});

test('what can be done about an abandoned recovery is to start another, or to take it up should its host be back', () => {
	assert.deepEqual(nextSteps({ ...running, phase: 'abandoned', workflow: 'COMPLETED' }), [
		{ step: 'start', again: true },
		{ step: 'adopt' },
	]);
});

test('the name of one whose machine may be on a host is used again only when that is said', () => {
	const failed = { ...running, phase: 'failed', workflow: 'FAILED', power: null } as const;
	assert.deepEqual(nextSteps(failed), [{ step: 'start', again: false }]);
	assert.deepEqual(nextSteps({ ...failed, failure: { code: 'place_unknown' } }), [
		{ step: 'adopt' },
		{ step: 'start', again: true },
	]);
});
