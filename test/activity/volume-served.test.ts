import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { nbdUri } from '../../nbd/protocol/uri.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import type { FileExtent } from '../../volume/description.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { fuseFiles } from '../equipment/fuse-exports.ts';
import { run } from '../equipment/served-disk.ts';
import { sampleDisk, sourceOf } from '../equipment/stored-disk.ts';
import { digestOfFile, sampleGuids, serveVolume, type ServedVolume } from '../equipment/volumes.ts';

const MiB = 1024 * 1024;
const GiB = 1024 * MiB;
const TiB = 1024 * GiB;

const filesOf = (t: TestContext, { mover, partition }: ServedVolume) =>
	fuseFiles(t, { socket: mover.config.nbdSocket, exportName: 'volume', part: partition });

async function outputTo(file: string, program: string, args: readonly string[]): Promise<void> {
	await using into = await open(file, 'wx');
	const child = spawn(program, args, { stdio: ['ignore', into.fd, 'inherit'] });
	assert.equal(await new Promise(resolve => child.once('close', resolve)), 0, program);
}

const ntfscat = (ntfs: string, name: string, into: string) => outputTo(into, 'ntfscat', ['-f', ntfs, name]);

/** A disk that is zeros but for some pieces. */
function sparseSource(sizeBytes: number, pieces: ReadonlyMap<number, Buffer>): DiskSource {
	return {
		sizeBytes,
		async *extents(): AsyncGenerator<SourceExtent> {
			let position = 0;
			for (const [offsetBytes, { length }] of pieces) {
				if (offsetBytes > position) yield { offsetBytes: position, lengthBytes: offsetBytes - position, kind: 'zero' };
				yield { offsetBytes, lengthBytes: length, kind: 'data' };
				position = offsetBytes + length;
			}
			if (position < sizeBytes) yield { offsetBytes: position, lengthBytes: sizeBytes - position, kind: 'zero' };
		},
		async read(offsetBytes, into) {
			into.fill(0);
			for (const [at, piece] of pieces)
				if (at < offsetBytes + into.length && at + piece.length > offsetBytes)
					piece.copy(into, Math.max(0, at - offsetBytes), Math.max(0, offsetBytes - at));
		},
		async close() {},
	};
}

/** Where in the partition a byte of a disk lies, whose VHDX has these extents. */
function placeIn(extents: readonly FileExtent[], at: number, payloadAt = 0): number {
	let offset = payloadAt + at;
	for (const { offsetBytes, sizeBytes } of extents) {
		if (offset < sizeBytes) return offsetBytes + offset;
		offset -= sizeBytes;
	}
	throw new Error(`${at} is behind the end`);
}

test('four disks on one volume: ntfsfix, ntfscat, 7zz and qemu-img read what was backed up', async t => {
	const disks = [9 * MiB + 845, 16 * MiB, 512, 5 * MiB + 4096].map((size, seed) => sampleDisk(size, seed + 1));
	const served = await serveVolume(t, disks.map(sourceOf));
	const { part } = await filesOf(t, served);
	await run('ntfsfix', ['-n', part]);
	const scratch = await temporaryDirectory(t);
	await run('7zz', ['x', `-o${join(scratch, 'by-7zz')}`, part, 'disk*.vhdx']);
	for (const [number, disk] of disks.entries()) {
		const name = `disk${number}.vhdx`;
		const vhdx = join(scratch, name);
		await ntfscat(part, name, vhdx);
		assert.equal(await digestOfFile(join(scratch, 'by-7zz', name)), await digestOfFile(vhdx), name);
		const expected = Buffer.alloc(Math.ceil(disk.length / 512) * 512);
		disk.copy(expected);
		const raw = join(scratch, `disk${number}.raw`);
		await writeFile(raw, expected);
		await run('qemu-img', ['compare', '-f', 'vhdx', '-F', 'raw', vhdx, raw]);
		// 7-Zip 26.02 refuses a VHDX whose disk has an odd number of sectors.
		if (expected.length % 1024 !== 0) continue;
		await outputTo(`${raw}-by-7zz`, '7zz', ['x', '-tVHDX', '-so', vhdx]);
		assert.ok((await readFile(`${raw}-by-7zz`)).equals(expected), `7zz finds the disk in ${name}`);
	}
});

test('partx and 7zz read the partition table, and partx its copy at the end when the first is damaged', async t => {
	const disk = sampleDisk(6 * MiB, 3);
	const served = await serveVolume(t, [sourceOf(disk)]);
	const { volume, mover, partition } = served;
	const { whole } = await filesOf(t, served);
	const wanted = `1 2048 ${partition.sizeBytes / 512} ${sampleGuids.partitionGuid} 0x8000000000000000`;
	const shown = async (path: string) =>
		(await run('partx', ['--show', '--noheadings', '-o', 'NR,START,SECTORS,UUID,FLAGS', path]))
			.trim()
			.replaceAll(/ +/g, ' ');
	assert.equal(await shown(whole), wanted);
	const scratch = await temporaryDirectory(t);
	// Only the ends, so that the first can be damaged.
	const copy = join(scratch, 'ends');
	await writeFile(copy, '');
	await truncate(copy, volume.sizeBytes);
	await using file = await open(copy, 'r+');
	await using from = await open(whole);
	const lastAt = volume.sizeBytes - 64 * 512;
	for (const offset of [512, lastAt]) {
		const { buffer } = await from.read(Buffer.alloc(64 * 512), 0, 64 * 512, offset);
		await file.write(buffer, 0, buffer.length, offset);
	}
	const mbr = await from.read(Buffer.alloc(512), 0, 512, 0);
	await file.write(mbr.buffer, 0, 512, 0);
	await file.write('damage', 512 + 56);
	assert.equal(await shown(copy), wanted);
	assert.equal((await run('nbdinfo', ['--size', mover.uri('volume')])).trim(), String(volume.sizeBytes));
	const listed = await run('7zz', ['l', '-slt', '-tGPT', whole]);
	assert.match(
		listed,
		new RegExp(
			`Path = 0\\.Rouse\\.ntfs\nSize = ${partition.sizeBytes}\nFile System = Windows BDP\nCharacteristics = Win-Not-Automount\n`,
		),
	);
});

test('what is written to the metadata is there after the mover was killed; a write to a disk is EPERM, and told', async t => {
	const disk = sampleDisk(6 * MiB, 4);
	const served = await serveVolume(t, [sourceOf(disk)]);
	const { volume, partition, directory } = served;
	const uri = nbdUri(served.mover.config.nbdSocket, 'volume');
	const first = await filesOf(t, served);
	const scratch = await temporaryDirectory(t);
	const note = join(scratch, 'note');
	await writeFile(note, 'written through NTFS, which logs it\n'.repeat(10_000));
	await run('ntfscp', [first.part, note, 'note.txt']);
	await served.mover.end('SIGKILL');
	served.mover = await served.start();
	// The same client, which comes back.
	await ntfscat(first.part, 'note.txt', join(scratch, 'while-there'));
	await first.end();
	const again = await filesOf(t, served);
	await run('ntfsfix', ['-n', again.part]);
	await ntfscat(again.part, 'note.txt', join(scratch, 'after'));
	for (const name of ['while-there', 'after'])
		assert.equal(await digestOfFile(join(scratch, name)), await digestOfFile(note));

	const [extent] = volume.files[0]?.extents ?? [];
	assert.ok(extent);
	const inside = partition.offsetBytes + extent.offsetBytes + 8192;
	const before = await digestOfFile(join(directory, 'volume', 'volume.ntfs'), 64 * MiB);
	const refused = promisify(execFile)('qemu-io', ['-f', 'raw', '-c', `write ${inside} 4096`, uri]);
	await assert.rejects(refused, { stdout: /Operation not permitted/ });
	const { refusedWrites } = await served.mover.control.state();
	assert.deepEqual(refusedWrites, { count: 1, export: 'volume', offset: inside, length: 4096 });
	assert.equal(await digestOfFile(join(directory, 'volume', 'volume.ntfs'), 64 * MiB), before);
});

test('disks of together 6 TiB are read through NTFS at their beginning, in the middle and at their end', async t => {
	const piece = sampleDisk(256 * 1024, 5);
	const sizes = [2 * TiB, 4 * TiB - 512];
	const pieces = sizes.map(
		size => new Map([0, size / 2, size - piece.length].map(at => [Math.floor(at), piece] as const)),
	);
	const sources = sizes.map((size, number) => sparseSource(size, pieces[number] ?? new Map()));
	const served = await serveVolume(t, sources, { chunkSizeBytes: MiB });
	const { part } = await filesOf(t, served);
	await run('ntfsfix', ['-n', part]);
	await using file = await open(part);
	for (const [number, { extents }] of served.volume.files.entries()) {
		const info = await run('ntfsinfo', ['-f', '-v', '-F', `disk${number}.vhdx`, part]);
		assert.match(info, new RegExp(`Total runs: ${extents.length} `));
		for (const at of pieces[number]?.keys() ?? []) {
			const { buffer } = await file.read(Buffer.alloc(4096), 0, 4096, placeIn(extents, at, served.payloadsAt[number]));
			assert.ok(buffer.equals(piece.subarray(0, 4096)), `disk${number} at ${at}`);
		}
	}
});
