import { open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DiskImage } from '../../model/chunk.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { keys } from '../../repository/format/keys.ts';
import { decodeManifest } from '../../repository/format/manifest.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { initRepository } from '../../repository/repository.ts';
import { sampleConfig, sampleDisks } from './sample-config.ts';

export interface StoredDisk {
	/** The repository. */
	directory: string;
	image: DiskImage;
	/** What was stored. */
	bytes: Buffer;
}

/** A disk with all that disks have: text that shrinks, noise that does not, repeats, zero parts, an odd size. */
export function sampleDisk(sizeBytes: number, seed = 1): Buffer {
	const disk = Buffer.alloc(sizeBytes);
	const pieceBytes = 64 * 1024;
	let state = seed >>> 0 || 1;
	const next = () => {
		// xorshift32: the same disk for the same seed.
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (state >>>= 0);
	};
	for (let at = 0; at < sizeBytes; at += pieceBytes) {
		const piece = disk.subarray(at, at + pieceBytes);
		const kind = next() % 8;
		if (kind === 0) continue; // zero
		if (kind === 1) piece.fill('all work and no play makes jack a dull boy\n');
		else if (kind < 4) piece.fill(`line ${next()} of a file that shrinks well, number ${at}\n`);
		else for (let word = 0; word + 4 <= piece.length; word += 4) piece.writeUInt32LE(next(), word);
	}
	// A zero part of several chunks, and a last byte that must not get lost.
	const third = Math.floor(sizeBytes / 3);
	disk.fill(0, third, Math.min(2 * third, third + 16 * pieceBytes));
	disk[sizeBytes - 1] = 0x5a;
	return disk;
}

/** Stores a disk as the only one of a machine in a new repository at `directory`. */
export async function storeDisk(
	directory: string,
	bytes: Buffer,
	options: { chunkSizeBytes?: number; packBytes?: number } = {},
): Promise<StoredDisk> {
	const [stored] = await storeDisks(directory, [sourceOf(bytes)], options);
	if (stored === undefined) throw new Error('the manifest has no disk');
	return { directory, image: stored, bytes };
}

/** Stores the disks of a machine in a new repository at `directory`. */
export async function storeDisks(
	directory: string,
	sources: readonly DiskSource[],
	{ chunkSizeBytes = 128 * 1024, packBytes = 4 * 1024 * 1024 } = {},
): Promise<DiskImage[]> {
	const time = '2026-11-20T03:00:00.000Z';
	const repository = await initRepository(directory, { chunkSizeBytes });
	try {
		await importMachine({
			repository,
			machine: 'sample',
			time,
			sources,
			config: { ...sampleConfig, disks: sampleDisks(sources.length) },
			packBytes,
		});
	} finally {
		await repository.store.close();
	}
	const point = keys.point('sample', time);
	const { disks } = decodeManifest(await readFile(join(directory, point)), point);
	return [...disks];
}

/** The files of a repository's packs. */
export async function packFiles(directory: string): Promise<string[]> {
	const entries = await readdir(join(directory, 'packs'), { recursive: true, withFileTypes: true });
	return entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name));
}

/** A byte of the largest pack, and so of one with data, is another; the returned function puts it back. */
export async function damagePack({ directory }: StoredDisk, offsetBytes: number): Promise<() => Promise<void>> {
	const packs = await packFiles(directory);
	const sizes = await Promise.all(packs.map(async pack => (await stat(pack)).size));
	const largest = packs[sizes.indexOf(Math.max(...sizes))] ?? '';
	const flip = async () => {
		const file = await open(largest, 'r+');
		const { buffer } = await file.read(Buffer.alloc(1), 0, 1, offsetBytes);
		buffer.writeUInt8(buffer.readUInt8(0) ^ 0x10, 0);
		await file.write(buffer, 0, 1, offsetBytes);
		await file.close();
	};
	await flip();
	return flip;
}

export function sourceOf(bytes: Buffer): DiskSource {
	return {
		sizeBytes: bytes.length,
		async *extents(): AsyncGenerator<SourceExtent> {
			yield { offsetBytes: 0, lengthBytes: bytes.length, kind: 'data' };
		},
		async read(offsetBytes, into) {
			bytes.copy(into, 0, offsetBytes, offsetBytes + into.length);
		},
		async close() {},
	};
}
