import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import type { Autostart } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { sector, simulate, type Simulation } from '../equipment/simulated-recovery.ts';

async function simulateWith(t: TestContext, autostart: Autostart): Promise<Simulation> {
	const simulation = await simulate(t);
	await writeFile(join(simulation.host.installation.home, 'config.yaml'), `host: {autostart: ${autostart}}\n`);
	return simulation;
}

async function anew(simulation: Simulation): Promise<void> {
	await simulation.reboot();
	await simulation.start();
}

const finished = (simulation: Simulation, what: string, is: (view: RecoveryView) => boolean) =>
	waitFor(what, async () => is(await simulation.supervisor.finished('r1').view()), { timeoutMs: 30_000 });

test('`confirm-open` after a boot of the host starts the machine that was on, with what its guest had written', async t => {
	const simulation = await simulateWith(t, 'ask');
	const { recovery, guest } = simulation;
	await recovery.run();
	await guest.write(0, 0, Buffer.alloc(sector, 7));
	await anew(simulation);
	await recovery.viewed('waiting for a word', view => view.blocked?.code === 'host_rebooted');
	await recovery.step('confirm-open', {}, { again: true });
	await recovery.viewed('on', ({ power, blocked }) => power === 'on' && blocked === null);
	assert.deepEqual(await guest.read(0, 0, sector), Buffer.alloc(sector, 7));
});

test('`confirm-open` starts no machine that was off', async t => {
	const simulation = await simulateWith(t, 'ask');
	const { recovery, calls } = simulation;
	await recovery.run();
	await recovery.step('power', { action: 'off' });
	await anew(simulation);
	await recovery.step('confirm-open', {}, { again: true });
	await simulation.looks(3);
	assert.equal(calls.times('powerOn'), 1);
});

test('`autostart: always` starts a machine that was on after a boot of its host, and is said', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.recovery.run();
	await anew(simulation);
	await simulation.recovery.viewed('on', ({ power }) => power === 'on');
	await simulation.incident('machine_started');
});

test('`autostart: never` leaves it off, whoever says that its recovery is open', async t => {
	const simulation = await simulateWith(t, 'never');
	const { recovery, calls } = simulation;
	await recovery.run();
	await anew(simulation);
	await recovery.step('confirm-open', {}, { again: true });
	assert.match((await simulation.incident('machine_stopped')).message, /autostart: never/);
	await simulation.looks(3);
	assert.equal(calls.times('powerOn'), 1);
	assert.equal((await recovery.view()).blocked, null);
});

for (const { autostart, starts } of [
	{ autostart: 'always', starts: true },
	{ autostart: 'ask', starts: false },
	{ autostart: 'never', starts: false },
] as const)
	test(`\`autostart: ${autostart}\` of a finished machine that was on ${starts ? 'starts it' : 'leaves it off'}`, async t => {
		const simulation = await simulateWith(t, autostart);
		await simulation.finish();
		await anew(simulation);
		if (starts) await finished(simulation, 'the machine', ({ power }) => power === 'on');
		else if (autostart === 'ask')
			await finished(simulation, 'the question', ({ blocked }) => blocked?.code === 'host_rebooted');
		else await finished(simulation, 'nothing', ({ power, blocked }) => power === 'off' && blocked === null);
		await simulation.supervisor.finished('r1').power('on');
		await finished(simulation, 'no question', ({ power, blocked }) => power === 'on' && blocked === null);
	});

test('`autostart: always` of a finished machine that cannot be started tries again, and says so meanwhile', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	simulation.calls.throwAt('powerOn', new RouseError('machine_failed', 'the bridge is not there'), { times: 4 });
	await anew(simulation);
	await finished(simulation, 'the reason', ({ blocked }) => /tried again: the bridge/.test(blocked?.reason ?? ''));
	// Also by the next supervisor of the same boot.
	await simulation.stop();
	await simulation.start();
	await finished(simulation, 'the machine', ({ power, blocked }) => power === 'on' && blocked === null);
});

test('`autostart: always` of a finished machine that cannot be started ends with an order', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	simulation.calls.throwAt('powerOn', new RouseError('machine_failed', 'the bridge is not there'), { times: 1_000 });
	await anew(simulation);
	await finished(simulation, 'the reason', ({ blocked }) => blocked?.code === 'machine_failed');
	await simulation.supervisor.finished('r1').power('off');
	simulation.clock.pass(10 * 60_000);
	const { blocked } = await simulation.supervisor.finished('r1').view();
	assert.equal(blocked, null);
	const tries = simulation.calls.times('powerOn');
	simulation.clock.pass(10 * 60_000);
	await simulation.supervisor.finished('r1').power('off');
	assert.equal(simulation.calls.times('powerOn'), tries);
});

test('`autostart: always` of a finished machine whose removal failed starts what is left of it no more', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	const { calls } = simulation;
	calls.throwAt('powerOn', new RouseError('machine_failed', 'the bridge is not there'), { times: 1_000 });
	calls.throwAt('removeTargets', new RouseError('io_failed', 'the disk does not answer'));
	await anew(simulation);
	await finished(simulation, 'the reason', ({ blocked }) => blocked?.code === 'machine_failed');
	const machine = simulation.supervisor.finished('r1');
	await assert.rejects(machine.remove(), { code: 'io_failed' });
	const tries = calls.times('powerOn');
	simulation.clock.pass(10 * 60_000);
	await nextTurn(); // what waited for that time has asked for its turn, before the order below
	await machine.power('off');
	assert.equal(calls.times('powerOn'), tries);
});

test('`autostart: always` of a finished machine that cannot be started ends with a shutdown as well', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	simulation.calls.throwAt('powerOn', new RouseError('machine_failed', 'the bridge is not there'), { times: 1_000 });
	await anew(simulation);
	await finished(simulation, 'the reason', ({ blocked }) => blocked?.code === 'machine_failed');
	const machine = simulation.supervisor.finished('r1');
	assert.deepEqual(await machine.power('shutdown'), { power: 'off' });
	assert.equal((await machine.view()).blocked, null);
	await assert.rejects(machine.power('shutdown'), { code: 'phase_wrong' });
});

test('`autostart: always` of a finished machine tells during a try why the last one failed, and lets its supervisor end', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	const { calls } = simulation;
	calls.throwAt('powerOn', new RouseError('machine_failed', 'the bridge is not there'));
	const before = calls.times('powerOn');
	calls.hangAt('powerOn');
	await anew(simulation);
	const second = async () => calls.times('powerOn') === before + 2;
	await waitFor('the second try', second, { timeoutMs: 30_000 });
	assert.equal((await simulation.supervisor.finished('r1').view()).blocked?.code, 'machine_failed');
	await simulation.stop();
});

test('`autostart: always` of a finished machine that somebody switched off last leaves it off', async t => {
	const simulation = await simulateWith(t, 'always');
	await simulation.finish();
	await simulation.host.client.machinePower('r1', 'off');
	await anew(simulation);
	await finished(simulation, 'the first look', ({ power }) => power === 'off');
	await simulation.stop(); // whatever it was about to do is done
	assert.equal(simulation.guest.boot, undefined);
});
