import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MountFirst } from '../../movers/repository-mover/mount-first.ts';
import { systemClock } from '../../system/clock.ts';
import { TestClock } from '../equipment/test-clock.ts';

const never = new AbortController().signal;

test('`MountFirst.turn` of a migration comes when the last mount request is answered', async () => {
	const order = new MountFirst(systemClock, { longestYieldMs: 60_000 });
	order.mounts.enter();
	order.mounts.enter();
	let turn = false;
	const waiting = order.turn('migration', never).then(() => (turn = true));
	order.mounts.leave();
	await new Promise(setImmediate);
	assert.equal(turn, false);
	order.mounts.leave();
	await waiting;
});

test('`MountFirst.turn` comes after the longest yield though a guest reads without end', async () => {
	const clock = new TestClock();
	const order = new MountFirst(clock, { longestYieldMs: 5 });
	order.mounts.enter();
	await order.turn('migration', never);
	assert.deepEqual(clock.delays, [5]);
});

test('`MountFirst.turn` that is aborted while it waits ends at once', async () => {
	const order = new MountFirst(systemClock, { longestYieldMs: 60_000 });
	order.mounts.enter();
	const abort = new AbortController();
	const waiting = order.turn('migration', abort.signal);
	abort.abort();
	await assert.rejects(waiting, { name: 'AbortError' });
});

test('`MountFirst.turnsWithin` a piece yields as long as it has worked, and then only after more work', async () => {
	const clock = new TestClock();
	const order = new MountFirst(clock);
	const between = order.turnsWithin('migration', never);
	await between();
	clock.ms += 700;
	await between();
	order.mounts.enter();
	await between();
	assert.deepEqual(clock.delays, [700]);
	await between();
	assert.deepEqual(clock.delays, [700]);
	clock.ms += 30;
	await between();
	assert.deepEqual(clock.delays, [700, 30]);
	order.mounts.leave();
	clock.ms += 500;
	await between();
	assert.deepEqual(clock.delays, [700, 30]);
});

test('`MountFirst.turn` of what is read soon waits for guests alone, and a migration for both', async () => {
	const order = new MountFirst(systemClock, { longestYieldMs: 60_000 });
	order.aheads.enter();
	await order.turn('ahead', never);
	const turns: string[] = [];
	order.mounts.enter();
	const waiting = (['ahead', 'migration'] as const).map(of => order.turn(of, never).then(() => turns.push(of)));
	order.mounts.leave();
	await new Promise(setImmediate);
	assert.deepEqual(turns, ['ahead']);
	order.aheads.leave();
	await Promise.all(waiting);
	assert.deepEqual(turns, ['ahead', 'migration']);
});
