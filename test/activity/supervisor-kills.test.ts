/** What dies comes back, as docs/architecture.md, "Who dies, and what then", says. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { fileMustHold, MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const bytes = sampleDisk(1024 * 1024 + 100, 3);

async function prepare(
	t: TestContext,
	{ killAt = '', plan = {} }: { killAt?: string; plan?: Partial<RecoveryPlan> } = {},
) {
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start({ killAt });
	return { host, recovery: new SteppedRecovery(host, samplePlan(stored, plan)) };
}

test('a second supervisor is refused and changes nothing', async t => {
	const { host } = await prepare(t);
	const first = await host.pid();
	const main = fileURLToPath(new URL('../../supervisor/main.ts', import.meta.url));
	const second = spawn(process.execPath, [main], {
		stdio: 'ignore',
		env: { ...process.env, ROUSE_HOME: host.installation.home },
	});
	assert.deepEqual(await once(second, 'exit'), [6, null]);
	assert.equal(await host.pid(), first);
	assert.equal((await host.client.host()).pid, first);
});

for (const place of [
	'allocate-planned',
	'allocate-targets',
	'allocate-map-disk0',
	'machine-file',
	'machine-created',
	'repository-mover-started',
	'mount-mover-started',
	'snapshot-taken',
	'power-on-scheduled',
	'powered-on',
])
	test(`supervisor killed at ${place}: the same step again goes on`, async t => {
		const { host, recovery } = await prepare(t, { killAt: place, plan: { allocate: 'start' } });
		await assert.rejects(recovery.run(), { code: 'supervisor_unreachable' });
		await host.ended();
		await host.start();
		await recovery.run(); // those before the one that died find themselves done
		const io = await MachineIo.open(recovery);
		await io.write(0, 4096, 0x77);
		await recovery.restore();
		await recovery.step('switch-to-target', {});
		io.close();
		await recovery.step('finalize', {});
		await host.client.machinePower('r1', 'off');
		const expected = Buffer.from(bytes);
		expected.fill(0x77, 0, 4096);
		await fileMustHold(recovery.target(), expected);
	});

for (const place of ['tombstone-discarded', 'discard-machine', 'discard-disks'])
	test(`supervisor killed at ${place}: nothing is left but the tombstone, and asked again it answers`, async t => {
		const { host, recovery } = await prepare(t, { killAt: place });
		await recovery.run();
		await assert.rejects(recovery.step('discard', {}), { code: 'supervisor_unreachable' });
		await host.ended();
		await host.start();
		await waitFor('the directory to be gone', async () => (await directories(host)).length === 0, {
			timeoutMs: 20_000,
		});
		await recovery.step('discard', {}, { again: true });
		await onlySupervisorLeft(host);
	});

for (const place of ['tombstone-finished', 'finalize-machine-file', 'finalize-handed-over', 'finalize-before-state'])
	test(`supervisor killed at ${place}: the machine ends up finished, running and alone`, async t => {
		const { host, recovery } = await prepare(t, { killAt: place });
		await recovery.run();
		await recovery.restore();
		await recovery.step('switch-to-target', {});
		await assert.rejects(recovery.step('finalize', {}), { code: 'supervisor_unreachable' });
		await host.ended();
		await host.start();
		await recovery.step('finalize', {}, { again: true });
		const view = await recovery.viewed('finished', ({ state, movers }) => state === 'finished' && movers.length === 0);
		assert.equal(view.power, 'on');
		assert.deepEqual((await readdir(host.directory('r1'))).toSorted(), [
			'disk0.raw',
			'machine.json',
			'machine.lock',
			'machine.log',
			'qemu.pid',
			'start',
		]);
	});

test('each mover that is killed comes back, told again what to do, and is an incident', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.run();
	await recovery.step('migrate-chunks', { maxRateBytes: 1024 }); // a quarter of an hour, however long the movers take to be back
	const { movers } = await recovery.viewed('copying', view => view.copying && view.movers.every(({ alive }) => alive));
	for (const { pid } of movers) if (pid) process.kill(pid, 'SIGKILL');
	const again = await recovery.viewed(
		'copying again',
		view => view.copying && view.movers.every(({ pid }, index) => pid !== null && pid !== movers[index]?.pid),
	);
	assert.equal(again.restored, false);
	// A mover is back before there is a line about it.
	const told = async () => {
		const incidents = await host.client.incidents('r1');
		return incidents.length >= 3 && incidents.map(({ kind, message }) => `${kind} ${message.split(' ')[1]}`);
	};
	const kinds = await waitFor('three incidents', told, { timeoutMs: 20_000 });
	assert.deepEqual(kinds.toSorted(), ['mover_died migration', 'mover_died mount', 'mover_died repository']);
	await recovery.step('migrate-chunks', { maxRateBytes: 0 });
	await recovery.viewed('restored', view => view.restored);
	await fileMustHold(recovery.target(), bytes);
});

test('a mover that hangs is replaced', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.run();
	const { movers } = await recovery.viewed('all movers', view => view.movers.every(({ alive }) => alive));
	const mount = movers.find(({ kind }) => kind === 'mount');
	assert.ok(mount?.pid);
	process.kill(mount.pid, 'SIGSTOP');
	await recovery.viewed('another mount mover', view => {
		const now = view.movers.find(({ kind }) => kind === 'mount');
		return now?.pid !== null && now?.pid !== mount.pid;
	});
	assert.deepEqual(
		(await host.client.incidents('r1')).map(({ kind }) => kind),
		['mover_hung'],
	);
});

test('a machine that dies is started again on its chain with all it had flushed', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.run();
	const io = await MachineIo.open(recovery);
	await io.write(65536, 4096, 0x55);
	await io.flush();
	io.close();
	const machine = await lockHolder(join(host.directory('r1'), 'machine.lock'));
	assert.ok(machine);
	process.kill(machine.pid, 'SIGKILL');
	await waitFor(
		'another machine',
		async () => {
			const now = await lockHolder(join(host.directory('r1'), 'machine.lock'));
			return now !== undefined && now.pid !== machine.pid;
		},
		{ timeoutMs: 20_000 },
	);
	await recovery.viewed('on', ({ power }) => power === 'on');
	assert.deepEqual(
		(await host.client.incidents('r1')).map(({ kind }) => kind),
		['machine_died'],
	);
	const again = await MachineIo.open(recovery);
	await again.verify(65536, 4096, 0x55);
	again.close();
});

test('a machine that was killed together with the supervisor comes back, and the supervisor adopts the movers', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.run();
	const before = (await recovery.view()).movers;
	const machine = await lockHolder(join(host.directory('r1'), 'machine.lock'));
	assert.ok(machine);
	await host.kill();
	process.kill(machine.pid, 'SIGKILL');
	await host.start();
	const view = await recovery.viewed('on', ({ power }) => power === 'on');
	assert.deepEqual(view.movers, before);
});

async function directories(host: SupervisedHost): Promise<string[]> {
	return readdir(join(host.directory('r1'), '..'));
}

async function onlySupervisorLeft(host: SupervisedHost): Promise<void> {
	const left = async () => [
		...(await host.processes()).map(({ lock }) => lock),
		...(await readdir(join(host.installation.home, 'host', 'repository-movers'))),
		...(await readdir(host.installation.runDirectory)),
	];
	await waitFor(
		'only the supervisor to be left',
		async () => (await left()).join() === 'services/supervisor.lock,supervisor.sock',
		{ timeoutMs: 20_000 },
	);
}
