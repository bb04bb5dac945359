import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { differencingFile } from '../../vhdx/differencing-file.ts';
import { VhdxDisk } from '../../vhdx/disk.ts';
import { dynamicFile } from '../../vhdx/dynamic-file.ts';
import type { FileLayout } from '../../vhdx/file-layout.ts';
import { fixedFile } from '../../vhdx/fixed-file.ts';
import { openVhdx } from '../../vhdx/open.ts';
import { Random } from '../equipment/seeds/random.ts';
import { idsOf, mebibyte } from '../equipment/vhdx-files.ts';
import { dissectContent, qemuCheck, sevenZipList, vhdiSays, written } from '../equipment/vhdx-judges.ts';

const run = promisify(execFile);
const sizeBytes = 64 * 2 ** 40;
const measures = { sizeBytes, logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;

/** In memory, since ext4 has no files of 64 TiB. */
async function inMemory(t: TestContext): Promise<string> {
	const directory = await mkdtemp('/dev/shm/rouse-test-');
	t.after(() => rm(directory, { recursive: true, force: true }));
	return directory;
}

/** What the disk holds: a piece at its beginning, in its middle and at its end. */
const pieces = [0, 2 ** 45 + 3 * 512, sizeBytes - 4096].map((atBytes, index) => ({
	atBytes,
	bytes: Buffer.alloc(4096, 0xa1 + index),
}));

/** Puts the pieces where the file has the disk's bytes, without a buffer of a whole block. */
async function writtenWithPieces(path: string, layout: FileLayout): Promise<string> {
	await written(path, layout, () => undefined);
	const file = await open(path, 'r+');
	try {
		let at = 0;
		for (const piece of layout.pieces()) {
			if (piece.kind === 'disk')
				for (const { atBytes, bytes } of pieces)
					if (atBytes >= piece.atBytes && atBytes < piece.atBytes + piece.lengthBytes)
						await file.write(bytes, 0, bytes.length, at + atBytes - piece.atBytes);
			at += piece.kind === 'bytes' ? piece.bytes.length : piece.lengthBytes;
		}
	} finally {
		await file.close();
	}
	return path;
}

async function ownDisk(t: TestContext, path: string, parent?: VhdxDisk): Promise<VhdxDisk> {
	const file = await open(path, 'r');
	t.after(() => file.close());
	const source = {
		name: path,
		sizeBytes: (await file.stat()).size,
		read: async (atBytes: number, lengthBytes: number) => {
			const bytes = Buffer.alloc(lengthBytes);
			const { bytesRead } = await file.read(bytes, 0, lengthBytes, atBytes);
			return bytes.subarray(0, bytesRead);
		},
	};
	return new VhdxDisk(await openVhdx(source), parent);
}

test('7zz, qemu-img, vhdiinfo, dissect and `VhdxDisk` read disks of 64 TiB: fixed, dynamic, differencing', async t => {
	const random = new Random(64);
	const directory = await inMemory(t);
	const ids = idsOf(random);
	const blockBytes = 256 * mebibyte;
	const isPresent = (block: number) => pieces.some(({ atBytes }) => Math.floor(atBytes / blockBytes) === block);
	const fixed = await writtenWithPieces(join(directory, 'fixed.vhdx'), fixedFile({ ...measures, ids }));
	const dynamic = await writtenWithPieces(
		join(directory, 'dynamic.vhdx'),
		dynamicFile({ ...measures, blockBytes, ids, isPresent }),
	);
	const blocks = [{ block: sizeBytes / blockBytes - 1, content: 'zeros' }] as const;
	const parent = { linkage: ids.dataWriteGuid, relativePath: '.\\dynamic.vhdx' };
	const child = await written(
		join(directory, 'child.vhdx'),
		differencingFile({
			...measures,
			blockBytes,
			ids: { ...idsOf(random), virtualDiskId: ids.virtualDiskId },
			parent,
			blocks,
		}),
		() => undefined,
	);
	const base = await ownDisk(t, dynamic);
	for (const [path, type, disk] of [
		[fixed, 'Fixed', await ownDisk(t, fixed)],
		[dynamic, 'Dynamic', base],
		[child, 'Differential', await ownDisk(t, child, base)],
	] as const) {
		const said = await vhdiSays(path);
		assert.deepEqual([said.type, said.sizeBytes], [type, sizeBytes]);
		assert.match(await sevenZipList(path), new RegExp(`^Size = ${sizeBytes}$`, 'm'));
		if (type !== 'Differential') await qemuCheck(path);
		for (const { atBytes, bytes } of pieces) {
			const expected = type === 'Differential' && atBytes === pieces.at(-1)?.atBytes ? Buffer.alloc(4096) : bytes;
			assert.ok(expected.equals(await disk.read(atBytes, 4096)), `${type} at ${atBytes}`);
			assert.ok(expected.equals(await dissectContent(path, atBytes, 4096)), `dissect: ${type} at ${atBytes}`);
			if (type === 'Differential') continue;
			const { stdout } = await run('qemu-io', [
				'-r',
				'-f',
				'vhdx',
				'-c',
				`read -P ${expected[0]} ${atBytes} 4096`,
				path,
			]);
			assert.doesNotMatch(stdout, /Pattern verification failed/);
		}
	}
});
