import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { exportRaw } from '../../exports/raw.ts';
import { exportVhdx } from '../../exports/vhdx.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { readPoint } from '../../repository/points.ts';
import { initRepository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { importDisks, noise, type Piece, SparseSource } from '../equipment/repositories.ts';

const run = promisify(execFile);
const mebibyte = 2 ** 20;

interface Options {
	chunkSizeBytes?: number;
	logicalSectorBytes?: 512 | 4096;
}

async function exported(
	t: TestContext,
	sizeBytes: number,
	pieces: Piece[],
	{ chunkSizeBytes = 65_536, logicalSectorBytes = 512 }: Options = {},
) {
	const directory = await temporaryDirectory(t);
	const repository = await initRepository(join(directory, 'repository'), { chunkSizeBytes });
	t.after(() => repository.store.close());
	const { restorePoint } = await importDisks(repository, [new SparseSource(sizeBytes, pieces)]);
	const [image] = (await readPoint(repository, 'web01', restorePoint)).manifest.disks;
	assert.ok(image);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const vhdx = join(directory, 'disk.vhdx');
	const progress: number[] = [];
	await exportVhdx(chunks, image, vhdx, {
		sectors: { logicalSectorBytes, physicalSectorBytes: 4096 },
		progress: ({ doneBytes }) => progress.push(doneBytes),
	});
	const rawFile = async () => {
		const path = join(directory, 'disk.raw');
		await exportRaw(chunks, image, path);
		return path;
	};
	return { vhdx, directory, progress, rawFile };
}

/** As 7-Zip has it, which knows nothing of our writer. */
async function extracted(directory: string, vhdx: string): Promise<Buffer> {
	await run('7zz', ['x', `-o${join(directory, 'extracted')}`, vhdx]);
	return await readFile(join(directory, 'extracted', 'disk.img'));
}

test('an exported VHDX is a dynamic one without the blocks that are zeros: 7-Zip, qemu-img and vhdiinfo agree', async t => {
	// In blocks 0, 10 and 11 of 2 MiB, and in the last one, which is not whole.
	const sizeBytes = 101 * mebibyte - 77;
	const { directory, rawFile, vhdx, progress } = await exported(t, sizeBytes, [
		{ offsetBytes: 1000, bytes: noise(70_000, 1) },
		{ offsetBytes: 22 * mebibyte - 5, bytes: noise(10, 2) },
		{ offsetBytes: sizeBytes - 3, bytes: noise(3, 3) },
	]);
	await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vhdx', await rawFile(), vhdx]);
	await run('qemu-img', ['check', '-f', 'vhdx', vhdx]);
	await run('7zz', ['t', vhdx]);
	const disk = await extracted(directory, vhdx);
	const whole = await readFile(join(directory, 'disk.raw'));
	assert.equal(disk.length, 101 * mebibyte);
	assert.ok(disk.subarray(0, sizeBytes).equals(whole));
	assert.ok(disk.subarray(sizeBytes).every(byte => byte === 0));
	const { stdout } = await run('vhdiinfo', [vhdx]);
	assert.match(stdout, /Disk type\s*: Dynamic/);
	const { size, blocks } = await stat(vhdx);
	assert.equal(size, (4 + 4 * 2) * mebibyte);
	assert.ok(blocks * 512 < 4 * mebibyte, `${blocks * 512} bytes on disk`);
	assert.equal(progress.at(-1), sizeBytes);
});

test('chunks larger than the blocks of a VHDX, and across their borders, are cut where they must be', async t => {
	const { rawFile, vhdx } = await exported(
		t,
		64 * mebibyte,
		[
			{ offsetBytes: mebibyte, bytes: noise(7 * mebibyte, 1) },
			{ offsetBytes: 41 * mebibyte, bytes: noise(9 * mebibyte + 1, 2) },
		],
		{ chunkSizeBytes: 5 * mebibyte + 512 },
	);
	await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vhdx', await rawFile(), vhdx]);
});

test('a disk of zeros alone is a VHDX without a block', async t => {
	const { directory, rawFile, vhdx } = await exported(t, 8 * mebibyte, []);
	await run('qemu-img', ['compare', '-f', 'raw', '-F', 'vhdx', await rawFile(), vhdx]);
	assert.ok((await extracted(directory, vhdx)).equals(Buffer.alloc(8 * mebibyte)));
	assert.equal((await stat(vhdx)).size, 4 * mebibyte);
});

test('a disk of 60 TiB is a VHDX that is as large as what it holds', async t => {
	const sizeBytes = 60 * 2 ** 40;
	const bytes = noise(5000, 1);
	const { vhdx } = await exported(t, sizeBytes, [{ offsetBytes: sizeBytes - 5000, bytes }]);
	const { size } = await stat(vhdx);
	assert.ok(size < 64 * mebibyte, `${size} bytes`);
	const { stdout } = await run('qemu-img', ['info', '--output=json', '-f', 'vhdx', vhdx]);
	assert.equal(JSON.parse(stdout)['virtual-size'], sizeBytes);
	// Opened and checked; `7zz t` would read all of its zeros.
	assert.match((await run('7zz', ['l', vhdx])).stdout, new RegExp(`^ +\\.+ +${sizeBytes} `, 'm'));
	const read = await run('qemu-io', ['-r', '-f', 'vhdx', '-c', `read -v ${sizeBytes - 5000 + 4488} 512`, vhdx]);
	assert.ok(
		read.stdout.includes([...bytes.subarray(4488, 4504)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')),
	);
});

test('a disk with sectors of 4 KiB has them in its VHDX, all whole', async t => {
	const { directory, rawFile, vhdx } = await exported(
		t,
		5 * mebibyte - 100,
		[{ offsetBytes: 99, bytes: noise(9999, 1) }],
		{ logicalSectorBytes: 4096 },
	);
	const { stdout } = await run('vhdiinfo', [vhdx]);
	assert.match(stdout, /Bytes per sector\s*: 4096/);
	const disk = await extracted(directory, vhdx);
	assert.equal(disk.length, 5 * mebibyte);
	assert.ok(disk.subarray(0, 5 * mebibyte - 100).equals(await readFile(await rawFile())));
});
