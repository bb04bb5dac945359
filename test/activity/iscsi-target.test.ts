import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { targetPaths } from '../../hypervisors/hyperv/iscsi/definition.ts';
import { startTarget, stopTarget, targetRuns } from '../../hypervisors/hyperv/iscsi/target.ts';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { freePort } from '../../system/free-port.ts';
import { waitFor } from '../../system/wait.ts';
import { captive, temporaryDirectory } from '../equipment/captive.ts';
import {
	assertNothingLeft,
	iscsiUrl,
	qemuIo,
	sampleTarget,
	startSampleTarget,
	unitUrl,
} from '../equipment/iscsi-targets.ts';
import { mountState } from '../equipment/mount-movers.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, sourceOf } from '../equipment/stored-disk.ts';
import { digestOfFile, serveVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;

/** Of a process's threads. One that waits for a file of FUSE is in `D`. */
async function statesOf(pid = 0): Promise<string[]> {
	const threads = await readdir(`/proc/${pid}/task`);
	const lines = await Promise.all(threads.map(thread => readFile(`/proc/${pid}/task/${thread}/stat`, 'latin1')));
	return lines.map(line => line.slice(line.lastIndexOf(')') + 2)[0] ?? '');
}

test('libiscsi and QEMU meet the volume: its name, size, identity and content; a write to metadata is kept', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(6 * MiB, 1))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const listed = await run('iscsi-ls', ['--show-luns', iscsiUrl(target)]);
	assert.match(listed, new RegExp(`Target:${target.iqn} Portal:127.0.0.1:${target.port},1\\n`));
	assert.match(listed, /Lun:1\s+Type:DIRECT_ACCESS/);
	assert.match(await run('iscsi-inq', [unitUrl(target)]), /Vendor:Rouse\s+Product:Volume/);
	for (const page of [0x80, 0x83])
		assert.match(await run('iscsi-inq', ['-e', '1', '-c', `${page}`, unitUrl(target)]), new RegExp(target.serial));
	const capacity = await run('iscsi-readcapacity16', [unitUrl(target)]);
	assert.match(capacity, new RegExp(`Total size:${served.volume.sizeBytes}\\b`));

	const initiator = (...commands: string[]) => run('qemu-io', qemuIo(target, commands));
	const behind = served.volume.sizeBytes - 512 * 1024;
	assert.doesNotMatch(await initiator(`write -P 0x5a ${behind} 64k`, 'flush', `read -P 0x5a ${behind} 64k`), /failed/);
	const scratch = await temporaryDirectory(t);
	const [extent] = served.volume.files[0]?.extents ?? [];
	assert.ok(extent);
	// Both ends with the partition's first clusters, and what the file holds.
	for (const [at, count] of [
		[0, 4],
		[(served.partition.offsetBytes + extent.offsetBytes) / MiB, 12],
		[served.volume.sizeBytes / MiB - 2, 2],
	] as const) {
		const digests = new Set<string>();
		for (const source of [unitUrl(target), served.mover.uri('volume')]) {
			const piece = join(scratch, 'piece');
			const first = Math.floor(at);
			await run('qemu-img', [
				'dd',
				'-O',
				'raw',
				'bs=1M',
				`skip=${first}`,
				`count=${first + count}`,
				`if=${source}`,
				`of=${piece}`,
			]);
			assert.equal((await stat(piece)).size, count * MiB);
			digests.add(await digestOfFile(piece));
		}
		assert.equal(digests.size, 1, `at ${at} MiB`);
	}
	await stopTarget(target);
	await assertNothingLeft(target);
	await using image = await open(join(served.directory, 'volume', 'volume.ntfs'));
	const { buffer } = await image.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, behind);
	assert.ok(buffer.every(byte => byte === 0x5a));
});

test('without the right secret there is neither a login nor a list', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 2))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const refused = /[Aa]uthentication failure|Authorization/;
	for (const address of [unitUrl(target, 'x'.repeat(16)), `iscsi://127.0.0.1:${target.port}/${target.iqn}/1`])
		await assert.rejects(run('iscsi-inq', [address]), refused);
	for (const address of [iscsiUrl(target, '', 'x'.repeat(16)), `iscsi://127.0.0.1:${target.port}/`])
		await assert.rejects(run('iscsi-ls', [address]), refused);
});

test('`startTarget` leaves alone what is whole, and makes whole what is not', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 3))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const { storageLock, daemonLock } = targetPaths(target);
	const pids = async () => [(await lockHolder(storageLock))?.pid, (await lockHolder(daemonLock))?.pid];
	const before = await pids();
	await startTarget(target);
	assert.deepEqual(await pids(), before);
	for (const lock of [storageLock, daemonLock]) {
		await signalHolder(lock, 'SIGKILL');
		await waitFor('it to be gone', async () => (await lockHolder(lock)) === undefined, { timeoutMs: 10_000 });
		assert.equal(await targetRuns(target), false);
		await startTarget(target);
		assert.ok(await targetRuns(target));
		await run('iscsi-readcapacity16', [unitUrl(target)]);
	}
	await stopTarget(target);
	await stopTarget(target);
	await assertNothingLeft(target);
});

test('`startTarget` replaces a tgtd that is alive and answers nobody', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 3))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const { daemonLock } = targetPaths(target);
	const before = await lockHolder(daemonLock);
	await signalHolder(daemonLock, 'SIGSTOP');
	assert.equal(await targetRuns(target), false);
	await startTarget(target);
	assert.notEqual((await lockHolder(daemonLock))?.pid, before?.pid);
	await run('iscsi-readcapacity16', [unitUrl(target)]);
});

test('the mount mover dies under a session that reads: no read fails', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(24 * MiB, 4))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const [extent] = served.volume.files[0]?.extents ?? [];
	assert.ok(extent);
	const at = served.partition.offsetBytes + extent.offsetBytes;
	const reads = Array.from({ length: 28 }, (_, number) => `read ${at + number * MiB} 1M`);
	const reading = promisify(execFile)('qemu-io', qemuIo(target, reads));
	await mountState(served.mover, 'a read', ({ counters }) => (counters['fetchedChunks'] ?? 0) > 0);
	await served.mover.end('SIGKILL');
	served.mover = await served.start();
	const { stdout } = await reading;
	assert.equal(stdout.match(/read 1048576\/1048576 bytes/g)?.length, 28);
	assert.doesNotMatch(stdout, /failed/);
});

test('`stopTarget` waits for no read that waits for the mount mover', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 5))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	await served.mover.end('SIGKILL');
	const at = served.partition.offsetBytes;
	const initiator = captive(t, 'qemu-io', qemuIo(target, [`read ${at} 1M`]));
	const daemon = await lockHolder(targetPaths(target).daemonLock);
	await waitFor('the read to wait', async () => (await statesOf(daemon?.pid)).includes('D'), { timeoutMs: 20_000 });
	const startedAt = performance.now();
	await stopTarget(target);
	t.diagnostic(`${Math.round(performance.now() - startedAt)} ms`);
	assert.equal(initiator.child.exitCode, null);
	await assertNothingLeft(target);
});

test('a port that is taken, an export that is not there and a mover that is away are said, and nothing is left', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 6))]);
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const other = { ...(await sampleTarget(t, served.mover.config.nbdSocket)), port: target.port };
	await assert.rejects(startTarget(other), { code: 'machine_failed' });
	const { port: _, ...rest } = other;
	const elsewhere = { ...rest, port: await freePort() };
	await assert.rejects(startTarget({ ...elsewhere, exportName: 'disk7' }), { code: 'mover_unreachable' });
	await served.mover.end('SIGKILL');
	await assert.rejects(startTarget(elsewhere), { code: 'mover_unreachable' });
	await assertNothingLeft(elsewhere);
});
