/** The disks that are measured with, as raw files. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { copyFile, mkdir, open, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { files, log, noise } from './content.ts';
import { randomNumbers } from './random-numbers.ts';
import { runMeasured } from './measure.ts';

const MiB = 2 ** 20;
const blockBytes = 4096;
const zeroBlock = Buffer.alloc(blockBytes);
/** Where the only partition of a whole disk begins, as partitioning tools have it. */
const partitionAt = MiB;

export interface Image {
	path: string;
	sizeBytes: number;
	sha256: string;
}

export async function imageAt(path: string): Promise<Image> {
	return { path, sizeBytes: (await stat(path)).size, sha256: await sha256Of(path) };
}

/** Of a file from its beginning on, all of it unless a length is said. */
export async function sha256Of(path: string, lengthBytes = Infinity): Promise<string> {
	const hash = createHash('sha256');
	for await (const piece of createReadStream(path, { highWaterMark: MiB, end: lengthBytes - 1 })) hash.update(piece);
	return hash.digest('hex');
}

/**
 * A disk without a block of zeros: file behind file, each beginning with a block. The same files, with all that they have, are
 * laid down in `tree`; how many is told.
 */
export async function makeDense(path: string, sizeBytes: number, tree: string): Promise<number> {
	const disk = await open(path, 'wx');
	try {
		let at = 0;
		let count = 0;
		for await (const content of files()) {
			if (at === sizeBytes) return count;
			const folder = join(tree, String(Math.floor(count / 256)));
			if (count % 256 === 0) await mkdir(folder, { recursive: true });
			await writeFile(join(folder, String(count)), content);
			count += 1;
			const blocks = withoutZeros(content).subarray(0, sizeBytes - at);
			await disk.write(blocks, 0, blocks.length, at);
			at += blocks.length;
		}
		return count;
	} finally {
		await disk.close();
	}
}

/** Whole blocks, of which none is zero. */
function withoutZeros(content: Buffer): Buffer {
	const whole = Buffer.alloc(Math.ceil(content.length / blockBytes) * blockBytes);
	content.copy(whole);
	let end = 0;
	for (let at = 0; at < whole.length; at += blockBytes) {
		if (zeroBlock.equals(whole.subarray(at, at + blockBytes))) continue;
		if (end < at) whole.copyWithin(end, at, at + blockBytes);
		end += blockBytes;
	}
	return whole.subarray(0, end);
}

/** The disk a day later: three parts of a hundred are other files, and here and there some blocks were touched. */
export async function makeChanged(path: string, { path: before, sizeBytes }: Image): Promise<void> {
	await copyFile(before, path, constants.COPYFILE_EXCL);
	const disk = await open(path, 'r+');
	const random = randomNumbers(3);
	const placeFor = (bytes: number) => Math.floor((random() * (sizeBytes - bytes)) / blockBytes) * blockBytes;
	try {
		for (let file = 0; file < Math.ceil((sizeBytes / MiB) * 0.03); file += 1) {
			const content = (file % 2 === 0 ? log : noise)(1_000_000 + file, MiB);
			await disk.write(content, 0, content.length, placeFor(content.length));
		}
		for (let place = 0; place < Math.ceil(sizeBytes / MiB / 25); place += 1) {
			const begin = placeFor(MiB);
			for (let touched = 0; touched < 8; touched += 1) {
				const at = begin + Math.floor((random() * MiB) / blockBytes) * blockBytes;
				const content = log(2_000_000 + place * 8 + touched, 512);
				await disk.write(content, 0, content.length, at);
			}
		}
	} finally {
		await disk.close();
	}
}

/** A disk of a BIOS machine with one partition, an ext4 with the files of `tree`, and a third of it free. */
export async function makeWhole(
	path: string,
	{ tree, files: count, sizeBytes, signal }: { tree: string; files: number; sizeBytes: number; signal: AbortSignal },
): Promise<void> {
	const disk = await open(path, 'wx');
	try {
		await disk.truncate(sizeBytes);
		await disk.write(partitionTable(sizeBytes), 0, 512, 0);
	} finally {
		await disk.close();
	}
	// Nothing of it may depend on the day, nor on chance.
	const uuid = '5f0cf1c7-3a70-4f0c-9c1e-6d0c4f5a7b21';
	const extended = `offset=${partitionAt},hash_seed=${uuid},root_owner=0:0`;
	const options = ['-q', '-F', '-t', 'ext4', '-d', tree, '-U', uuid, '-E', extended, '-N', String(count + 4096)];
	const sizeKiB = `${(sizeBytes - partitionAt) / 1024}k`;
	// Debian has it where only root looks.
	const env = { ...process.env, E2FSPROGS_FAKE_TIME: '1790000000', PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };
	await runMeasured(['mke2fs', ...options, path, sizeKiB], { signal, env });
	await rm(tree, { recursive: true });
}

/** A master boot record: one entry of type 83, and the mark at its end. */
function partitionTable(sizeBytes: number): Buffer {
	const sector = Buffer.alloc(512);
	sector.writeUInt8(0x83, 446 + 4);
	sector.writeUInt32LE(partitionAt / 512, 446 + 8);
	sector.writeUInt32LE((sizeBytes - partitionAt) / 512, 446 + 12);
	sector.writeUInt16LE(0xaa55, 510);
	return sector;
}
