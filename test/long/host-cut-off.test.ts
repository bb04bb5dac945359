/** A host at the end of a cable that is cut while it recovers a machine: nothing is lost, and nobody has to do anything. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { SupervisorClient } from '../../supervisor/client.ts';
import { readOutages } from '../../system/temporal-outages.ts';
import { waitFor } from '../../system/wait.ts';
import { CabledHost } from '../equipment/cabled-host.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';

const cutForMs = 60_000;

test('a host that is cut off from its installation for a minute goes on with its recovery by itself', async t => {
	const { control, cable, installation } = await CabledHost.joined(t);
	const { home } = installation;
	const [point] = await storePoints(control.repository);
	assert.ok(point);

	const which = `${point.machine}@${point.restorePoint}`;
	const slowly = ['--finish', 'migrate', '--max-rate', '128KiB'];
	await control.answer('recover', 'start', which, '--name', 'web', '--host', 'kvm2', ...slowly);
	const supervisor = SupervisorClient.of(installation);
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
