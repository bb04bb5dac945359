import type { FileHandle } from 'node:fs/promises';

/** By what a file is known to be as it was. */
export interface FileState {
	inode: bigint;
	device: bigint;
	sizeBytes: bigint;
	/** When it was written; whoever owns it can set that. */
	writtenNs: bigint;
	/** When it was written, or its owner, mode, links or times were changed; nobody can set that. */
	changedNs: bigint;
	/** When all this was looked at, by the same clock. */
	seenNs: bigint;
}

export async function fileState(handle: FileHandle): Promise<FileState> {
	const seenNs = BigInt(Date.now()) * 1_000_000n;
	const { ino, dev, size, mtimeNs, ctimeNs } = await handle.stat({ bigint: true });
	return { inode: ino, device: dev, sizeBytes: size, writtenNs: mtimeNs, changedNs: ctimeNs, seenNs };
}

/** Linux stamps files with a time that goes on by the tick, of up to 10 ms; some file systems keep whole seconds, or two. */
const tickNs = 50_000_000n;
const wholeSecondsNs = 2_000_000_000n;

/**
 * Whether another write would have given it another state. One that was changed just before it was looked at, or by its time in
 * the future, may be written once more under the same times.
 */
export function isSettled({ changedNs, seenNs }: FileState): boolean {
	const stepNs = changedNs % 1_000_000_000n === 0n ? wholeSecondsNs : tickNs;
	return changedNs + stepNs <= seenNs;
}
