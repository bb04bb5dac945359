import type { DiskImage } from '../../model/chunk.ts';
import { chunkRefBytes } from './reference.ts';

/** Entries of a full page: 1,024 references are 56 KiB, and cover 128 MiB of disk with chunks of 128 KiB. */
export const pageEntries = 1024;

/** Shape of a disk's page map; it follows from size and chunk size alone (docs/format.md, "Page map"). */
export interface PageMap {
	sizeBytes: number;
	chunkSizeBytes: number;
	chunkCount: number;
	/** Pages of each level: `levels[0]` leaves, whose entries are chunks; the last level is the root alone. */
	levels: readonly number[];
}

export function pageMapOf({ sizeBytes, chunkSizeBytes }: Pick<DiskImage, 'sizeBytes' | 'chunkSizeBytes'>): PageMap {
	const chunkCount = Math.ceil(sizeBytes / chunkSizeBytes);
	const levels: number[] = [];
	let entries = chunkCount;
	do {
		entries = Math.ceil(entries / pageEntries);
		levels.push(entries);
	} while (entries > 1);
	return { sizeBytes, chunkSizeBytes, chunkCount, levels };
}

/** Bytes of disk in a chunk: the last one is as short as the disk leaves it. */
export function chunkRawBytes({ sizeBytes, chunkSizeBytes }: PageMap, index: number): number {
	return Math.min(chunkSizeBytes, sizeBytes - index * chunkSizeBytes);
}

/** Entries of a page: full but for the last page of its level. */
export function entriesOfPage({ chunkCount, levels }: PageMap, level: number, page: number): number {
	const entriesOfLevel = level === 0 ? chunkCount : (levels[level - 1] ?? 0);
	return Math.min(pageEntries, entriesOfLevel - page * pageEntries);
}

export function pageRawBytes(map: PageMap, level: number, page: number): number {
	return entriesOfPage(map, level, page) * chunkRefBytes;
}

/** Chunks under one entry of a page of this level. */
export function chunksPerEntry(level: number): number {
	return pageEntries ** level;
}
