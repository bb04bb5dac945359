import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import type { MannerName } from '../../hypervisors/simulated/host.ts';
import { startedSimulation } from '../equipment/started-simulation.ts';
import { type SwitchOrder, switchOnFile } from '../equipment/simulated-switch-child.ts';

const child = fileURLToPath(new URL('../equipment/simulated-switch-child.ts', import.meta.url));

const places: readonly [MannerName, string][] = [
	['process', 'switch.reopened'],
	['process', 'switch.pending'],
	['process', 'mark.target'],
	['service', 'switch.reparented-one'],
	['service', 'mark.target'],
];

for (const [like, killAt] of places)
	test(`a machine like a ${like} lives on when its supervisor is killed at ${killAt}, and the next carries on`, async t => {
		const { bench, machine } = await startedSimulation(t, { like });
		const guest = new GuestModel(bench);
		await restoreTargets(bench);
		const marks = join(bench.host.settings.directory, 'marks.json');
		await writeFile(marks, JSON.stringify({ chain: 'mover' }));
		const { boot } = bench.simulatedGuest;

		await diesAtSwitch(
			{ like, killAt, marks, definition: bench.definition, hostDirectory: bench.host.settings.directory },
			guest,
		);
		assert.equal(bench.simulatedGuest.boot, boot, 'the machine died with its supervisor');
		const calls = switchOnFile(marks, () => undefined);
		await machine.switchToTarget(calls);
		assert.equal(calls.chain, 'target');
		assert.ok(await guest.write(), 'the guest does not go on');
		await guest.checkInGuest();
		await machine.powerOff();
		await machine.powerOn('target');
		await machine.powerOff();
		await guest.checkContent();
	});

/** A supervisor of its own switches while the guest of this process writes all the time, until it has killed itself. */
async function diesAtSwitch(order: SwitchOrder, guest: GuestModel): Promise<void> {
	const orderFile = join(order.hostDirectory, 'order.json');
	await writeFile(orderFile, JSON.stringify(order));
	const supervisor = spawn(process.execPath, [child, orderFile], { stdio: 'inherit' });
	const ended = once(supervisor, 'exit');
	while (supervisor.exitCode === null && supervisor.signalCode === null) {
		await guest.write();
		await delay(2); // as fast as it can it would fill the memory
	}
	await ended;
	assert.equal(supervisor.signalCode, 'SIGKILL', `the switch never reached ${order.killAt}`);
}
