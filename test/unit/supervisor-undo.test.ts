/** What a workflow takes back that nobody has ordered: only what cannot hold a guest's writes. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { simulate } from '../equipment/simulated-recovery.ts';

test('`undo` removes what there is before power-on, and answers the same once more', async t => {
	const { host, plan, recovery } = await simulate(t);
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('allocate', { plan });
	await recovery.step('create-machine', {});
	assert.ok(existsSync(host.directory('r1')));
	const ended = await recovery.step('undo', {});
	assert.deepEqual(ended, { incidents: [], wasHere: true });
	assert.ok(!existsSync(host.directory('r1')));
	assert.deepEqual(await recovery.step('undo', {}), ended);
	await assert.rejects(recovery.step('power-on', { on: true }), { details: { ended: 'discarded' } });
});

test('`undo` of what was never there keeps it from coming late, and says so each time', async t => {
	const { plan, recovery } = await simulate(t);
	assert.equal((await recovery.step('undo', {})).wasHere, false);
	assert.equal((await recovery.step('undo', {})).wasHere, false);
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'generation_stale' });
});

test('a recovery that has left is refused up to the generation of its `undo`, and may come back above that', async t => {
	const simulation = await simulate(t);
	const { host, plan, recovery } = simulation;
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('allocate', { plan });
	const late = recovery.generation;
	assert.equal((await recovery.step('undo', { left: true })).wasHere, true);
	assert.ok(!existsSync(host.directory('r1')));
	const { generation } = recovery;
	recovery.generation = late - 1;
	for (const step of [() => recovery.step('reserve', { limit: 8 }), () => recovery.step('allocate', { plan })])
		await assert.rejects(step, { code: 'generation_stale', details: { generation } });
	recovery.generation = generation;
	await recovery.step('reserve', { limit: 8 });
	await simulation.stop();
	await simulation.start();
	assert.deepEqual((await recovery.view()).done, ['reserve']);
	await recovery.run();
	assert.equal((await recovery.view()).power, 'on');
});

test('`undo` of what has left and came back is the end', async t => {
	const { plan, recovery } = await simulate(t);
	assert.equal((await recovery.step('undo', { left: true })).wasHere, false);
	await recovery.step('undo', {});
	await assert.rejects(recovery.step('allocate', { plan }), { details: { ended: 'discarded' } });
});

test('`undo` of a machine that was powered on is refused with the generation of the host, and touches nothing', async t => {
	const simulation = await simulate(t);
	const { recovery } = simulation;
	await recovery.run();
	const { generation } = await simulation.state();
	const before = simulation.calls.times('remove', recovery.recoveryId);
	await assert.rejects(recovery.step('undo', {}), { code: 'power_on_scheduled', details: { generation } });
	assert.equal(simulation.calls.times('remove', recovery.recoveryId), before);
	assert.deepEqual([(await recovery.view()).power, (await simulation.state()).generation], ['on', generation]);
	recovery.generation = generation - 3;
	await assert.rejects(recovery.step('undo', {}), { code: 'power_on_scheduled' }, 'also of an old generation');
});

test('`undo` is refused as soon as power-on was scheduled, whatever became of it', async t => {
	const simulation = await simulate(t);
	const { recovery } = simulation;
	await recovery.run({ on: false });
	await assert.rejects(recovery.step('undo', {}), { code: 'power_on_scheduled' });
	await recovery.step('discard', {});
});

test('`undo` that came before `power-on` had its turn is refused when its own comes', async t => {
	const place = held('snapshot-taken');
	const simulation = await simulate(t, { parts: { reached: place.reached } });
	const { recovery, plan, supervisor } = simulation;
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('allocate', { plan });
	await recovery.step('create-machine', {});
	await recovery.step('start-movers', {});
	const snapshot = recovery.step('snapshot', {});
	await place.isReached;
	const { name, recoveryId, generation } = recovery;
	const powerOn = supervisor.step(name, 'power-on', { recoveryId, generation, on: true });
	const undo = supervisor.step(name, 'undo', { recoveryId, generation });
	const refusal = assert.rejects(undo, { code: 'power_on_scheduled' });
	place.goOn();
	await Promise.all([snapshot, powerOn, refusal]);
	assert.equal((await recovery.view()).power, 'on');
});

test('`undo` that is refused interrupts no step', async t => {
	const place = held('power-on-scheduled');
	const simulation = await simulate(t, { parts: { reached: place.reached } });
	const running = simulation.recovery.run();
	await place.isReached;
	await assert.rejects(simulation.recovery.step('undo', {}), { code: 'power_on_scheduled' });
	place.goOn();
	await running;
	assert.equal((await simulation.recovery.view()).power, 'on');
});

test('a refusal of an old generation tells the one the host is at', async t => {
	const { plan, recovery } = await simulate(t);
	recovery.generation = 6;
	await recovery.step('allocate', { plan });
	recovery.generation = 2;
	await assert.rejects(recovery.step('create-machine', {}), {
		code: 'generation_stale',
		details: { generation: 7 },
	});
});

/** The supervisor stands still at this place until it may go on. */
function held(at: string) {
	const there = Promise.withResolvers<void>();
	const further = Promise.withResolvers<void>();
	const reached = async (place: string) => {
		if (place !== at) return;
		there.resolve();
		await further.promise;
	};
	return { reached, isReached: there.promise, goOn: () => further.resolve() };
}
