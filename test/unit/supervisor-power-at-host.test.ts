/** Power that a person orders at the host itself, of a recovery that is not finished. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { simulate } from '../equipment/simulated-recovery.ts';

test('`POST /machines/NAME/power` of a recovery that was never powered on is refused', async t => {
	const { recovery, host, calls, plan } = await simulate(t);
	await recovery.step('reserve', { limit: 8 });
	await recovery.step('allocate', { plan });
	for (const step of ['create-machine', 'start-movers', 'snapshot'] as const) await recovery.step(step, {});
	await assert.rejects(host.client.machinePower(recovery.name, 'on'), { code: 'phase_wrong' });
	assert.equal(calls.times('powerOn'), 0);
});

test('`POST /machines/NAME/power` is what is wanted from then on, for the next supervisor too', async t => {
	const simulation = await simulate(t);
	const { recovery, host, calls } = simulation;
	await recovery.run();
	assert.equal(await host.client.machinePower(recovery.name, 'off'), 'off');
	assert.equal((await simulation.state()).power.desired, 'off');
	await simulation.stop();
	await simulation.start();
	const starts = calls.times('powerOn');
	await simulation.looks(3);
	assert.equal((await recovery.view()).power, 'off');
	assert.equal(calls.times('powerOn'), starts);
	assert.equal(await host.client.machinePower(recovery.name, 'on'), 'on');
	const { power, powerDesired } = await recovery.view();
	assert.deepEqual([power, powerDesired], ['on', 'on']);
});

test('`POST /machines/NAME/power` takes back what the workflow was told before and comes later, and nothing else', async t => {
	const { recovery, host, clock } = await simulate(t);
	await recovery.run();
	const nowMs = () => clock.date().getTime();
	const order = nowMs();
	clock.pass(1_000);
	assert.equal(await host.client.machinePower(recovery.name, 'off'), 'off');
	const late = recovery.step('power', { action: 'on', order });
	await assert.rejects(late, { code: 'generation_stale', message: /taken back by a later order/ });
	assert.equal((await recovery.view()).power, 'off');
	clock.pass(1_000);
	assert.deepEqual(await recovery.step('power', { action: 'on', order: nowMs() }), { power: 'on' });
});

test('an order that was given under a clock that was ahead takes none back', async t => {
	const { recovery, clock } = await simulate(t);
	await recovery.run();
	const nowMs = clock.date().getTime();
	await recovery.step('power', { action: 'off', order: nowMs + 86_400_000 });
	assert.deepEqual(await recovery.step('power', { action: 'on', order: nowMs }), { power: 'on' });
	assert.deepEqual(await recovery.step('power', { action: 'off', order: nowMs + 1 }), { power: 'off' });
});

test('`POST /machines/NAME/power` that had to wait takes back nothing that was given after it', async t => {
	const { recovery, supervisor, calls, clock } = await simulate(t);
	await recovery.run();
	const busy = Promise.withResolvers<void>();
	const begun = Promise.withResolvers<void>();
	calls.before = async call => {
		if (call !== 'shutdown') return;
		begun.resolve();
		await busy.promise;
	};
	const first = recovery.step('power', { action: 'shutdown', order: 1 }, { again: true });
	await begun.promise;
	const atHost = supervisor.power(recovery.name, 'off');
	clock.pass(1_000);
	const later = recovery.step('power', { action: 'on', order: clock.date().getTime() }, { again: true });
	busy.resolve();
	await first;
	await atHost;
	assert.deepEqual(await later, { power: 'on' });
});

test('`POST /machines/NAME/power` that a step of the workflow overtakes is carried out after it', async t => {
	const { recovery, host, calls } = await simulate(t);
	await recovery.run();
	let overtaken: Promise<unknown> | undefined;
	calls.before = call => {
		if (call === 'powerOff') overtaken ??= recovery.step('retry', {});
	};
	assert.equal(await host.client.machinePower(recovery.name, 'off'), 'off');
	await overtaken;
	assert.equal((await recovery.view()).power, 'off');
});

test('`DELETE /machines/NAME` of a recovery that is not finished is refused, and names what ends it', async t => {
	const { recovery, host } = await simulate(t);
	await recovery.run();
	await assert.rejects(
		host.client.removeMachine(recovery.name),
		(error: unknown) =>
			error instanceof RouseError &&
			error.code === 'phase_wrong' &&
			/rouse recover discard (\S+) --confirm \1; .*rouse recover adopt \1/.test(error.hint ?? ''),
	);
	assert.equal((await recovery.view()).power, 'on');
});

test('a recovery is told with what is wanted of it, where its sockets are and how far its switch is', async t => {
	const simulation = await simulate(t);
	await simulation.recovery.run({ on: false });
	const { powerDesired, switchStage, runDirectory } = await simulation.recovery.view();
	assert.deepEqual([powerDesired, switchStage], ['off', 'none']);
	assert.equal(runDirectory, simulation.definition().runDirectory);
	await simulation.recovery.restore();
	await simulation.recovery.step('switch-to-target', {});
	assert.equal((await simulation.recovery.view()).switchStage, 'done');
});
