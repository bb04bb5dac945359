/** A host at the end of a cable that is cut while it recovers a machine: nothing is lost, and nobody has to do anything. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SupervisorClient } from '../../supervisor/client.ts';
import { changeConfig } from '../../system/change-config.ts';
import { freePort } from '../../system/free-port.ts';
import { openInstallation } from '../../system/installation.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { CutCable } from '../equipment/cut-cable.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
const cutForMs = 60_000;

test('a host that is cut off from its installation for a minute goes on with its recovery by itself', async t => {
	const cable = await CutCable.laid(t);
	const serve = `serve: {address: ${cable.nearAddress}, temporal: ${await freePort()}, repositories: {main: ${await freePort()}}}`;
	const control = await EmbeddedInstallation.up(t, `host: {name: kvm1, kind: simulated}\n${serve}\n`, fastDirectory);
	const [point] = await storePoints(control.repository);
	assert.ok(point);
	const directory = await temporaryDirectory(t);
	const [file, home] = [join(directory, 'kvm2.invitation'), join(directory, 'home')];
	await control.answer('host', 'invite', 'kvm2', '--to', file);
	const inside = (...args: string[]) =>
		run('ip', ['netns', 'exec', cable.namespace, process.execPath, main, ...args], {
			env: { ...process.env, ROUSE_HOME: home },
		});
	await inside('host', 'join', file);
	await changeConfig({ home }, document => document.setIn(['host', 'kind'], 'simulated'));
	await inside('up', '--detach');
	const there = await EmbeddedInstallation.over(t, await openInstallation(home));

	const which = `${point.machine}@${point.restorePoint}`;
	const slowly = ['--finish', 'migrate', '--max-rate', '128KiB'];
	await control.answer('recover', 'start', which, '--name', 'web', '--host', 'kvm2', ...slowly);
	const supervisor = SupervisorClient.of(there.installation);
	const restored = async () => (await supervisor.recovery('web')).disks[0]?.restoredBytes ?? 0;
	await control.shown('web', 'migrating', ({ phase }) => phase === 'migrating');
	await waitFor('some of it to be copied', async () => (await restored()) > 0, { timeoutMs: 60_000 });
	const cutAt = performance.now();
	await cable.cut();
	await waitFor('its worker to say so', async () => (await readOutages(home)).some(outage => outage.current), {
		timeoutMs: 60_000,
	});
	await waitFor('the minute to be over', () => performance.now() - cutAt > cutForMs, { timeoutMs: 2 * cutForMs });
	const { state, power, disks: copying } = await supervisor.recovery('web');
	assert.deepEqual([state, power], ['active', 'on']);
	assert.ok(copying.some(({ restoredBytes, sizeBytes }) => restoredBytes < sizeBytes));
	assert.equal((await control.show('web')).parked, null);
	await cable.mend();
	await control.shown('web', 'finished', ({ phase }) => phase === 'finished', 180_000);
	assert.ok((await readOutages(home)).every(outage => !outage.current));
	await supervisor.machinePower('web', 'off');
	const { disks } = await supervisor.recovery('web');
	for (const [index, { path }] of disks.entries())
		assert.ok((await readFile(path)).equals(point.disks[index] ?? Buffer.alloc(0)));
});
