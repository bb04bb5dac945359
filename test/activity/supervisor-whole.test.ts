import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingUsers } from '../../hypervisors/qemu/confinement.ts';
import { recoveryPlaces } from '../../supervisor/files/places.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { defaultUserRange } from '../../system/user-range.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { overFiles, overFilesAndOwners, powersOf } from '../equipment/powers.ts';
import { fileMustHold, MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

async function moversMustBeWeak(recovery: SteppedRecovery): Promise<void> {
	if (process.getuid?.() !== 0) return; // nothing to take away
	const movers = (await recovery.view()).movers.map(async ({ kind, pid }) => [kind, pid && (await powersOf(pid))]);
	assert.deepEqual(Object.fromEntries(await Promise.all(movers)), {
		mount: overFilesAndOwners,
		migration: overFiles,
		repository: overFiles,
	});
}

test('a machine runs from its backup, ends up local with its writes, and is then controlled by the supervisor alone', async t => {
	const bytes = sampleDisk(6 * 1024 * 1024 + 100);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start();
	const recovery = new SteppedRecovery(host, samplePlan(stored));

	await recovery.run();
	assert.equal((await recovery.view()).power, 'on');
	await moversMustBeWeak(recovery);
	// The machine's own, where Rouse is root: of its targets, its QEMU, and the door to the mount mover.
	const target = await stat(recovery.target());
	const qemu = await lockHolder(join(host.directory('r1'), 'machine.lock'));
	const { nbdSocket } = recoveryPlaces(host.installation, 'r1', recovery.recoveryId);
	assert.equal((await stat(`/proc/${qemu?.pid}`)).uid, target.uid);
	assert.equal((await stat(nbdSocket)).uid, target.uid);
	if ((await missingUsers('qemu-system-x86_64', defaultUserRange)) === undefined) assert.notEqual(target.uid, 0);
	const io = await MachineIo.open(recovery);
	await io.write(65536, 4096, 0xab);
	await recovery.restore();
	await io.write(2 * 1024 * 1024, 65536, 0xcd);
	const { pauseMs } = await recovery.step('switch-to-target', {});
	assert.ok(pauseMs > 0);
	await io.write(3 * 1024 * 1024, 4096, 0xef);
	await io.verify(65536, 4096, 0xab);
	io.close();

	const switched = await recovery.view();
	assert.deepEqual([switched.chain, switched.sealed, switched.power], ['target', true, 'on']);
	const { incidents } = await recovery.step('finalize', {});
	assert.deepEqual(incidents, []);
	assert.deepEqual(await recovery.step('finalize', {}, { again: true }), { incidents: [], afterReport: 0 });

	const finished = await recovery.view();
	assert.deepEqual([finished.state, finished.power], ['finished', 'on']);
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.deepEqual((await readdir(host.directory('r1'))).toSorted(), [
		'disk0.raw',
		'machine.json',
		'machine.lock',
		'machine.log',
		'start',
	]);
	const expected = Buffer.from(bytes);
	expected.fill(0xab, 65536, 65536 + 4096);
	expected.fill(0xcd, 2 * 1024 * 1024, 2 * 1024 * 1024 + 65536);
	expected.fill(0xef, 3 * 1024 * 1024, 3 * 1024 * 1024 + 4096);
	await fileMustHold(recovery.target(), expected);

	assert.equal(await host.client.machinePower('r1', 'on'), 'on');
	await host.client.removeMachine('r1', recovery.recoveryId);
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
	await assert.rejects(recovery.view(), { code: 'recovery_unknown' });
	const locks = async () => (await host.processes()).map(({ lock }) => lock).join();
	await waitFor('only the supervisor to run', async () => (await locks()) === 'services/supervisor.lock', {
		timeoutMs: 10_000,
	});
});

test('a machine that was never powered on is copied and switched all the same, and stays off', async t => {
	const bytes = sampleDisk(2 * 1024 * 1024 + 1);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start();
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run({ on: false });
	await recovery.restore();
	assert.deepEqual(await recovery.step('switch-to-target', {}), { pauseMs: 0 });
	await recovery.step('finalize', {});
	const { power, chain } = await recovery.view();
	assert.deepEqual([power, chain], ['off', 'target']);
	await fileMustHold(recovery.target(), bytes);
});

test('a machine that dies in the middle of the switch is switched offline and goes on', async t => {
	const bytes = sampleDisk(2 * 1024 * 1024);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start({ killAt: 'switch.pending' });
	const recovery = new SteppedRecovery(host, samplePlan(stored));
	await recovery.run();
	const io = await MachineIo.open(recovery);
	await io.write(65536, 65536, 0xab);
	await io.flush();
	io.close();
	await recovery.restore();
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'supervisor_unreachable' });
	await host.ended();
	const machine = await lockHolder(join(host.directory('r1'), 'machine.lock'));
	assert.ok(machine);
	process.kill(machine.pid, 'SIGKILL');
	await host.start();
	await recovery.viewed('switched and on', ({ done, power }) => done.includes('switch-to-target') && power === 'on');
	const again = await MachineIo.open(recovery);
	await again.verify(65536, 65536, 0xab);
	again.close();
});
