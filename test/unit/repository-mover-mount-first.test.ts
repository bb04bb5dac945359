import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountFirst } from '../../movers/repository-mover/mount-first.ts';
import { systemClock } from '../../system/clock.ts';
import { TestClock } from '../equipment/test-clock.ts';

const never = new AbortController().signal;

test('`MountFirst.migrationTurn` comes when the last mount request is answered', async () => {
	const order = new MountFirst(systemClock, { longestYieldMs: 60_000 });
	order.enterMount();
	order.enterMount();
	let turn = false;
	const waiting = order.migrationTurn(never).then(() => (turn = true));
	order.leaveMount();
	await new Promise(setImmediate);
	assert.equal(turn, false);
	order.leaveMount();
	await waiting;
});

test('`MountFirst.migrationTurn` comes after the longest yield though a guest reads without end', async () => {
	const clock = new TestClock();
	const order = new MountFirst(clock, { longestYieldMs: 5 });
	order.enterMount();
	await order.migrationTurn(never);
	assert.deepEqual(clock.delays, [5]);
});

test('`MountFirst.migrationTurn` that is aborted while it waits ends at once', async () => {
	const order = new MountFirst(systemClock, { longestYieldMs: 60_000 });
	order.enterMount();
	const abort = new AbortController();
	const waiting = order.migrationTurn(abort.signal);
	abort.abort();
	await assert.rejects(waiting, { name: 'AbortError' });
});

test('`MountFirst.turnsWithin` a piece yields as long as it has worked, and then only after more work', async () => {
	const clock = new TestClock();
	const order = new MountFirst(clock);
	const between = order.turnsWithin(never);
	await between();
	clock.ms += 700;
	await between();
	order.enterMount();
	await between();
	assert.deepEqual(clock.delays, [700]);
	await between();
	assert.deepEqual(clock.delays, [700]);
	clock.ms += 30;
	await between();
	assert.deepEqual(clock.delays, [700, 30]);
	order.leaveMount();
	clock.ms += 500;
	await between();
	assert.deepEqual(clock.delays, [700, 30]);
});
