import assert from 'node:assert/strict';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import type { NbdClient } from '../../nbd/client/client.ts';
import { volumePaths } from '../../volume/ensure-volume.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { qemuInitiator, qemuIo, startSampleTarget } from '../equipment/iscsi-targets.ts';
import { mountState } from '../equipment/mount-movers.ts';
import { startMigrationMover } from '../equipment/movers.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, sourceOf } from '../equipment/stored-disk.ts';
import { serveVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;

interface Run {
	offsetBytes: number;
	lengthBytes: number;
}

/** Where a sparse file was written. */
async function writtenRuns(path: string): Promise<Run[]> {
	const schema = z.array(z.object({ start: z.number(), length: z.number(), data: z.boolean() }));
	const map = schema.parse(JSON.parse(await run('qemu-img', ['map', '-f', 'raw', '--output=json', path])));
	return map.filter(({ data }) => data).map(({ start, length }) => ({ offsetBytes: start, lengthBytes: length }));
}

async function copyRun(client: NbdClient, into: FileHandle, { offsetBytes, lengthBytes }: Run, from: number) {
	const { signal } = new AbortController();
	for (let done = 0; done < lengthBytes; done += MiB) {
		const piece = Buffer.alloc(Math.min(MiB, lengthBytes - done));
		await client.read(from + offsetBytes + done, piece, signal);
		await into.write(piece, 0, piece.length, offsetBytes + done);
	}
}

test('what QEMU reads of the LUN is NTFS to ntfsfix, ntfscat and 7zz, and in it the disk, a part of it restored', async t => {
	const disk = sampleDisk(24 * MiB, 1);
	const served = await serveVolume(t, [sourceOf(disk)]);
	const { mover, partition, volume, directory } = served;
	const migration = await startMigrationMover(t, directory, mover.config.disks);
	await migration.control.copy(8 * MiB);
	await mountState(mover, 'a part restored', ({ disks }) => (disks[0]?.restoredChunks ?? 0) > 40);
	await migration.end('SIGKILL');

	const connect = await qemuInitiator(t, await startSampleTarget(t, mover.config.nbdSocket));
	const client = await connect();
	t.after(() => client.close());
	assert.equal(client.sizeBytes, volume.sizeBytes);
	const scratch = await temporaryDirectory(t);
	const ntfs = join(scratch, 'partition.ntfs');
	// All of the partition that holds something: the rest of its 10 GiB is free, and a hole of the image.
	await using copy = await open(ntfs, 'wx');
	await copy.truncate(partition.sizeBytes);
	const ofFiles = volume.files.flatMap(({ extents }) => extents);
	const runs = [
		...(await writtenRuns(volumePaths(join(directory, 'volume')).image)),
		...ofFiles.map(({ offsetBytes, sizeBytes }) => ({ offsetBytes, lengthBytes: sizeBytes })),
	];
	for (const { offsetBytes, lengthBytes } of runs) {
		// Behind the partition the image has the disk's ends.
		const inside = Math.min(lengthBytes, partition.sizeBytes - offsetBytes);
		if (inside > 0) await copyRun(client, copy, { offsetBytes, lengthBytes: inside }, partition.offsetBytes);
	}
	const { counters, disks } = await mover.control.state();
	assert.ok((counters['localReads'] ?? 0) > 0 && (counters['fetchedChunks'] ?? 0) > 0);
	assert.ok((disks[0]?.restoredChunks ?? 0) < (disks[0]?.chunks ?? 0));

	await run('ntfsfix', ['-n', ntfs]);
	await run('7zz', ['x', `-o${scratch}`, ntfs, 'disk0.vhdx']);
	const vhdx = join(scratch, 'disk0.vhdx');
	const byNtfscat = join(scratch, 'ntfscat.vhdx');
	await run('sh', ['-c', 'ntfscat -f "$0" disk0.vhdx >"$1" && cmp "$1" "$2"', ntfs, byNtfscat, vhdx]);
	await run('sh', ['-c', '7zz x -tVHDX -so "$0" >"$1"', vhdx, join(scratch, 'disk')]);
	assert.ok((await readFile(join(scratch, 'disk'))).equals(disk));
});

test('a write into a file of the volume fails and is told, and what was written beside it outlives the mount mover', async t => {
	const served = await serveVolume(t, [sourceOf(sampleDisk(2 * MiB, 2))]);
	const { volume, partition } = served;
	const target = await startSampleTarget(t, served.mover.config.nbdSocket);
	const inside = partition.offsetBytes + (volume.files[0]?.extents[0]?.offsetBytes ?? 0) + 4 * MiB;
	const beside = volume.sizeBytes - 512 * 1024;
	await assert.rejects(run('qemu-io', qemuIo(target, [`write -P 7 ${inside} 4k`])), {
		stdout: /write failed: Input\/output error/,
	});
	const { refusedWrites } = await served.mover.control.state();
	assert.deepEqual(refusedWrites, { count: 1, export: 'volume-now', offset: inside, length: 4096 });
	await run('qemu-io', qemuIo(target, [`write -P 9 ${beside} 64k`, 'flush']));
	await served.mover.end('SIGKILL');
	served.mover = await served.start();
	assert.doesNotMatch(await run('qemu-io', qemuIo(target, [`read -P 9 ${beside} 64k`])), /failed/);
});
