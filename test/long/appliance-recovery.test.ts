import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkDisk, findDisks } from '../../cli/demo/hyperv/disk-check.ts';
import { DemoGuest } from '../../cli/demo/hyperv/guest.ts';
import { control } from '../../hypervisors/hyperv/simulator/control-client.ts';
import { waitFor } from '../../system/wait.ts';
import { ApplianceHost } from '../equipment/appliance-recovery.ts';
import type { Shown } from '../equipment/embedded-installation.ts';

const MiB = 2 ** 20;
const diskBytes = 64 * MiB;
const name = 'web01-r1';
/** Emulated, with two Node processes and movers that are started at once. */
const slowMs = 600_000;
/** Slow enough that there is something left when the last one has died. */
const slowRateBytes = 48 * 1024;

const restored = ({ disks }: Shown) => disks.reduce((sum, disk) => sum + disk.restoredBytes, 0);

test('a recovery with supervisor, workers and movers in the booted appliance: they die, it dies, and no write is lost', async t => {
	const host = await ApplianceHost.make(t);
	await recover(t, host).catch(async (error: unknown) => {
		t.diagnostic(await host.journal());
		throw error;
	});
});

async function recover(t: TestContext, host: ApplianceHost): Promise<void> {
	const { here, windows, directory } = host;
	const content = Buffer.alloc(diskBytes);
	for (let at = 0; at < diskBytes; at += 64 * 1024) randomBytes(8 * 1024).copy(content, at);
	const [image, spec] = [join(directory, 'original.raw'), join(directory, 'machine.yaml')];
	await writeFile(image, content);
	await writeFile(spec, 'cpus: 1\nmemoryMiB: 64\nfirmware: efi\nos: linux\ndrivers: [hyperv]\n');
	await here.answer('backup', 'import', image, '--machine', 'web01', '--spec', spec);

	await host.boot();
	const report = await host.machine.report();
	assert.deepEqual([report.name, report.seed, report.problem], ['hv1', 'taken', undefined]);
	// The supervisor is up before its worker is, which a host is asked by.
	const plan = 'recover start web01@latest --host hv1 --dry-run'.split(' ');
	const answers = async () => (await here.run(...plan)).exitCode === 0;
	await waitFor('the worker of the appliance', answers, { timeoutMs: slowMs, everyMs: 1_000 });
	const start = 'recover start web01@latest --host hv1 --switch manual --allocate thin --reason test';
	await here.answer(...start.split(' '));
	const { recoveryId } = await here.shown(name, 'on', ({ power }) => power === 'on', slowMs);
	const guest = new DemoGuest(windows.controlSocket, recoveryId, content, { pauseMs: 200 });
	await here.answer('recover', 'policy', name, '--max-rate', String(slowRateBytes));
	await here.answer('recover', 'migrate', name);

	const goesOn = async (what: string) => {
		const before = restored(await here.show(name));
		const reads = guest.done.reads;
		await here.shown(name, `migrated further after ${what}`, shown => restored(shown) > before, slowMs);
		await waitFor(`the guest to read after ${what}`, () => guest.done.reads > reads, { timeoutMs: slowMs });
		t.diagnostic(
			`${new Date().toISOString()} after ${what}: ${restored(await here.show(name))} bytes restored, ${JSON.stringify(guest.done)}`,
		);
	};
	await goesOn('the start');
	for (const mover of ['mount-mover', 'migration-mover']) {
		const pid = await host.shell(`pgrep -f movers/${mover}/main.ts`);
		assert.match(pid, /^\d+$/);
		await host.shell(`kill -KILL ${pid}`);
		await goesOn(`the death of the ${mover}`);
		assert.notEqual(await host.shell(`pgrep -f movers/${mover}/main.ts`), pid);
	}
	await host.machine.kill();
	await host.boot();
	await goesOn('the death of the appliance');

	await here.answer('recover', 'policy', name, '--max-rate', '0');
	await here.shown(name, 'migrated', ({ phase }) => phase === 'migrated', slowMs);
	await control(windows.controlSocket, { do: 'fault', point: 'Save-VM done', action: { kind: 'drop' } });
	await here.answer('recover', 'switch', name);
	await here.shown(name, 'finished', ({ phase }) => phase === 'finished', slowMs);
	await guest.stop();
	await guest.verify(200);
	assert.equal(await host.shell('ls /sys/block | grep -c "^sd"'), '2', 'the system and the seed are left');

	await guest.powerOff();
	const rouse = 'ROUSE_HOME=/var/lib/rouse NODE_COMPILE_CACHE=/var/cache/rouse/compile node /opt/rouse/cli/main.ts';
	await host.shell(`${rouse} host start ${name}`);
	await host.shell(`${rouse} host stop ${name} --force`);
	const [disk, ...more] = await findDisks(windows.directory);
	assert.ok(disk !== undefined && more.length === 0, more.join());
	await checkDisk(disk, guest.expected, join(directory, 'expected.raw'));
}
