/** A whole recovery on a simulated Hyper-V host: the real supervisor and real movers, the volume by real iSCSI. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { readMachineFile } from '../../supervisor/files/machine-file.ts';
import { hypervRecovery } from '../equipment/hyperv-recovery.ts';

const MiB = 2 ** 20;

test('a machine runs from its backup by iSCSI, ends up on its own disks with its writes, and is removed', async t => {
	const { host, hyperv, recovery, expected, guest, write, reads } = await hypervRecovery(t);
	await recovery.run();
	assert.equal((await recovery.view()).power, 'on');
	const isOnWindows = /^D:\\Rouse\\[^\\]+\\target0\.vhdx$/;
	assert.match((await recovery.view()).disks[0]?.path ?? '', isOnWindows);
	const { boot } = guest();
	await reads(20 * MiB);
	await write(65_536, Buffer.alloc(4096, 0xab));

	// The mount mover dies under the guest: its next read waits for the one that is started in its place.
	const mountLock = join(host.directory('r1'), 'mount-mover.lock');
	await signalHolder(mountLock, 'SIGKILL');
	await reads(12 * MiB);

	await recovery.restore();
	await write(2 * MiB, Buffer.alloc(65_536, 0xcd));
	const { pauseMs } = await recovery.step('switch-to-target', {});
	assert.ok(pauseMs > 0);
	assert.equal(guest().boot, boot, 'the guest was started anew');
	await write(3 * MiB, Buffer.alloc(4096, 0xef));
	await reads(65_536);

	const { incidents } = await recovery.step('finalize', {});
	assert.deepEqual(
		incidents.map(({ kind }) => kind),
		['mover_died'],
	);
	assert.deepEqual((await readdir(host.directory('r1'))).toSorted(), [
		'hyperv-targets.json',
		'hyperv.json',
		'machine.json',
	]);
	const file = await readMachineFile(join(host.directory('r1'), 'machine.json'));
	assert.match(file?.disks[0]?.path ?? '', isOnWindows);
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.ok((await hyperv.content(recovery.recoveryId, 0)).equals(expected), 'in two files');
	assert.equal(await host.client.machinePower('r1', 'on'), 'on');
	await reads(2 * MiB);
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.ok((await hyperv.content(recovery.recoveryId, 0)).equals(expected), 'merged');

	await host.client.removeMachine('r1', recovery.recoveryId);
	assert.deepEqual(await readdir(hyperv.place('D:\\Rouse'), { recursive: true }), []);
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('a switch that the host refuses leaves the guest on the volume, with movers that read its targets anew, and is carried on', async t => {
	const { host, hyperv, recovery, expected, guest, write, reads } = await hypervRecovery(t);
	await recovery.run();
	await write(0, Buffer.alloc(4096, 0x11));
	await recovery.restore();
	const mountLock = join(host.directory('r1'), 'mount-mover.lock');
	const before = await lockHolder(mountLock);
	const { boot } = guest();
	// Longer than the first attempts take: the supervisor comes back to it by itself every five seconds.
	hyperv.windows.faults.at('Set-VHD', { kind: 'hresult', hresult: '0x80070020' }, { times: 2 });
	await assert.rejects(recovery.step('switch-to-target', {}));
	await recovery.viewed('on the volume', ({ power, chain }) => power === 'on' && chain === 'mover');
	assert.notEqual((await lockHolder(mountLock))?.pid, before?.pid);
	await reads(16 * MiB);
	await write(MiB, Buffer.alloc(4096, 0x22));
	await recovery.viewed('switched', ({ chain, switchStage }) => chain === 'target' && switchStage === 'done');
	assert.equal(guest().boot, boot, 'the guest was started anew');
	await write(5 * MiB, Buffer.alloc(4096, 0x33));
	await recovery.step('finalize', {});
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.ok((await hyperv.content(recovery.recoveryId, 0)).equals(expected));
});

test('a machine that somebody removes in the middle of its switch is told, with `discard` as what is next, and that leaves nothing', async t => {
	const { host, hyperv, recovery, write } = await hypervRecovery(t);
	const { recoveryId } = recovery;
	await recovery.run();
	await write(0, Buffer.alloc(4096, 0x11));
	await recovery.restore();
	// After the mark `target`, with the guest saved.
	hyperv.windows.faults.at('Start-VM', { kind: 'hresult', hresult: '0x80004005' });
	await assert.rejects(recovery.step('switch-to-target', {}));
	const directory = `D:\\Rouse\\${(await readdir(hyperv.place('D:\\Rouse')))[0]}`;
	await hyperv.driver.ask('remove-machine', { recoveryId, overlays: [], directory });
	const { blocked, chain } = await recovery.viewed('blocked', view => /removed/.test(view.blocked?.reason ?? ''));
	assert.equal(chain, 'target');
	assert.equal(blocked?.code, 'machine_failed');
	assert.equal(blocked.next.order, 'discard');
	assert.ok(blocked.next.first?.includes(directory));
	await assert.rejects(recovery.step('power', { action: 'on' }), { code: 'machine_failed' });
	await recovery.step('discard', {});
	assert.deepEqual(await readdir(hyperv.place('D:\\Rouse'), { recursive: true }), []);
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
	assert.equal(hyperv.windows.parts.sessions.size, 0, 'Windows has no session with its target any more');
});

test('neither a merge nor a volume that does not go holds up the end of the supervisor or an order to turn off', async t => {
	const { host, hyperv, recovery, write, start, supervisor } = await hypervRecovery(t, { lockMs: 50 });
	const { faults } = hyperv.windows;
	await recovery.run();
	await recovery.restore();
	faults.at('Disconnect-IscsiTarget', { kind: 'hold' });
	const switching = assert.rejects(recovery.step('switch-to-target', {}), { code: 'supervisor_unreachable' });
	const held = async () => faults.heldAt('Disconnect-IscsiTarget') === 1;
	await waitFor('the volume to be disconnected', held, { timeoutMs: 30_000 });
	await supervisor.stop();
	await switching;
	faults.release('Disconnect-IscsiTarget');
	await start();
	await recovery.viewed('switched', ({ switchStage }) => switchStage === 'done');
	await write(0, Buffer.alloc(4096, 0x11));
	await recovery.step('finalize', {});
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	const merged = async () => faults.heldAt('Merge-VHD piece') === 1;
	faults.at('Merge-VHD piece', { kind: 'hold' });
	const starting = host.client.machinePower('r1', 'on');
	await waitFor('it to be merged', merged, { timeoutMs: 30_000 });
	const said = assert.rejects(starting, { code: 'generation_stale', message: /taken back by a later order/ });
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	await said;
	await assert.rejects(host.client.removeMachine('r1', recovery.recoveryId), { code: 'hypervisor_failed' });
	faults.release('Merge-VHD piece');
	await waitFor(
		'it to be removed',
		async () =>
			host.client.removeMachine('r1', recovery.recoveryId).then(
				() => true,
				() => false,
			),
		{ timeoutMs: 30_000 },
	);
	assert.deepEqual(await readdir(hyperv.place('D:\\Rouse'), { recursive: true }), []);
});

test('a recovery that is discarded while its machine runs leaves nothing on either side', async t => {
	const { host, hyperv, recovery, write } = await hypervRecovery(t);
	await recovery.run();
	await write(0, Buffer.alloc(4096, 0x11));
	await recovery.step('discard', {});
	await waitFor(
		'all of it to be gone',
		async () => (await readdir(hyperv.place('D:\\Rouse'), { recursive: true })).length === 0,
		{
			timeoutMs: 10_000,
		},
	);
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
	assert.equal(await hyperv.driver.ask('observe', { recoveryId: recovery.recoveryId }), null);
});
