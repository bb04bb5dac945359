import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { type MachineFiles, namesIn, readJson, writeJson } from './files.ts';
import { type Mark, markName } from './marks.ts';

/** As QEMU: changes are known by blocks of this size. */
export const blockBytes = 64 * 1024;

export const blocksSchema = z.array(z.int().min(0));

export function blocksOf(offsetBytes: number, lengthBytes: number): number[] {
	const first = Math.floor(offsetBytes / blockBytes);
	const end = Math.ceil((offsetBytes + lengthBytes) / blockBytes);
	return Array.from({ length: end - first }, (_, index) => first + index);
}

export function bitmapOf(files: MachineFiles, mark: Mark, key: string): string {
	return join(files.bitmaps, markName(mark), `${key}.json`);
}

/** Blocks that were written since the bitmap was made. Undefined when it is gone. */
export async function readBitmap(path: string): Promise<number[] | undefined> {
	return readJson(path, blocksSchema);
}

/** From now on what is written to the disks is recorded there. */
export async function addBitmaps(files: MachineFiles, mark: Mark, keys: readonly string[]): Promise<void> {
	await mkdir(join(files.bitmaps, markName(mark)), { recursive: true });
	for (const key of keys) await writeJson(bitmapOf(files, mark, key), []);
}

/** In all bitmaps of the disk, whoever made them. */
export async function record(files: MachineFiles, key: string, blocks: readonly number[]): Promise<void> {
	for (const path of await bitmapsOf(files, key)) {
		const before = await readBitmap(path);
		if (before !== undefined) await writeJson(path, [...new Set([...before, ...blocks])]);
	}
}

export async function bitmapsOf(files: MachineFiles, key: string): Promise<string[]> {
	return (await namesIn(files.bitmaps)).map(name => join(files.bitmaps, name, `${key}.json`));
}
