/** What a host does with a recovery that its workflow has given up together with the host. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { sector, simulate, type Simulation } from '../equipment/simulated-recovery.ts';

const bytes = Buffer.alloc(sector, 7);

async function writeAndAbandon(simulation: Simulation): Promise<void> {
	const { recovery, guest } = simulation;
	assert.ok(await guest.write(0, 0, bytes));
	await recovery.step('abandon', {});
}

async function running(t: Parameters<typeof simulate>[0]): Promise<Simulation> {
	const simulation = await simulate(t);
	await simulation.recovery.run();
	return simulation;
}

async function staysOff(simulation: Simulation): Promise<void> {
	await simulation.incident('machine_stopped');
	await simulation.looks(3);
	assert.equal(simulation.calls.times('powerOn'), 1);
	const { state, power, blocked } = await simulation.recovery.view();
	assert.deepEqual([state, power, blocked], ['abandoned', 'off', null]);
}

test('`abandon` leaves a machine that runs as it is, with what its guest has written', async t => {
	const simulation = await running(t);
	const { recovery, guest } = simulation;
	await writeAndAbandon(simulation);
	await simulation.incident('abandoned');
	await simulation.looks(2);
	const { state, power, blocked } = await recovery.view();
	assert.deepEqual([state, power, blocked], ['abandoned', 'on', null]);
	assert.deepEqual(await guest.read(0, 0, sector), bytes);
	assert.deepEqual(await guest.read(0, 70_656, sector), simulation.backedUp(70_656));
});

test('a machine that dies after `abandon` is not started again, also by the next supervisor', async t => {
	const simulation = await running(t);
	await writeAndAbandon(simulation);
	await simulation.stop();
	simulation.kill();
	await simulation.start();
	await staysOff(simulation);
});

test('after `abandon` a boot of the host starts no machine, whatever `autostart` and `confirm-open` say', async t => {
	const simulation = await running(t);
	const { recovery, host } = simulation;
	await writeFile(join(host.installation.home, 'config.yaml'), 'host: {autostart: always}\n');
	await writeAndAbandon(simulation);
	await simulation.reboot();
	await simulation.start();
	await recovery.step('confirm-open', {}, { again: true });
	await staysOff(simulation);
});

test('a switch that was begun is carried on after `abandon`, and starts no machine that has died', async t => {
	const simulation = await running(t);
	const { recovery } = simulation;
	await recovery.restore();
	await simulation.stop();
	let failing = true;
	await simulation.start({
		reached: async at => {
			if (failing && at === 'mark-local') throw new Error('made to fail');
		},
	});
	await assert.rejects(recovery.step('switch-to-target', {}));
	await writeAndAbandon(simulation);
	simulation.kill();
	failing = false;
	await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
	await simulation.looks(3);
	assert.equal(simulation.calls.times('powerOn'), 1);
	assert.equal((await recovery.view()).power, 'off');
});

test('what is asked after `abandon` with a higher generation takes the recovery up again', async t => {
	const simulation = await running(t);
	const { recovery, guest } = simulation;
	await writeAndAbandon(simulation);
	assert.equal((await simulation.host.client.adoption('r1')).abandoned, true);
	await recovery.step('retry', {});
	assert.equal((await recovery.view()).state, 'active');
	simulation.kill();
	await simulation.incident('machine_died');
	await simulation.looks(2);
	assert.deepEqual(await guest.read(0, 0, sector), bytes);
});

test('the machine of an abandoned recovery is powered on and removed by its host alone, as a finished one', async t => {
	const simulation = await running(t);
	const { recovery, host } = simulation;
	const { client } = host;
	await assert.rejects(client.removeMachine('r1', recovery.recoveryId), { code: 'phase_wrong' });
	await writeAndAbandon(simulation);
	assert.equal(await client.machinePower('r1', 'off'), 'off');
	assert.equal(await client.machinePower('r1', 'on'), 'on');
	assert.deepEqual(await simulation.guest.read(0, 0, sector), bytes);
	assert.equal((await recovery.view()).state, 'abandoned');
	await assert.rejects(client.removeMachine('r1', '00000000-0000-4000-8000-000000000000'), {
		code: 'identity_conflict',
	});
	await client.removeMachine('r1', recovery.recoveryId);
	assert.deepEqual(await client.recoveries(), []);
});
