import type { FarPlatform, SnapshotKept, VolumeName } from './platform.ts';
import type { Ranges } from './ranges.ts';

/** What of a file system its superblock takes, and what a snapshot keeps at a time unless somebody wants it otherwise. */
const chunkBytes = 4096;

/** A snapshot, and what it had kept when the last one was made. */
export interface MadeSnapshot extends VolumeName {
	path: string;
	volumePath: string;
	kept: SnapshotKept | undefined;
}

/**
 * Whether snapshots that were made one after the other are of one moment, that of the last one: nothing was written to the others' volumes
 * until then. A file system that goes on after its snapshot writes its superblock, which says no more than that it goes on. That is
 * all that was written when that block is another one now, and one block is all that is kept, then still.
 */
export async function areTogether(
	snapshots: readonly MadeSnapshot[],
	{ platform, ranges }: { platform: FarPlatform; ranges: Ranges },
	signal: AbortSignal,
): Promise<boolean> {
	const earlier = snapshots.slice(0, -1).filter(({ kept }) => kept?.chunks !== 0);
	if (earlier.length === 0) return true;
	if (earlier.some(({ kept }) => !isOneBlock(kept))) return false;
	for (const { path, volumePath } of earlier) {
		const [then, now] = [await superblock(path, ranges, signal), await superblock(volumePath, ranges, signal)];
		if (now.equals(then)) return false;
	}
	return (await platform.kept(earlier, signal)).every(isOneBlock);
}

function isOneBlock(kept: SnapshotKept | undefined): boolean {
	return kept?.chunks === 1 && kept.chunkBytes === chunkBytes;
}

async function superblock(path: string, ranges: Ranges, signal: AbortSignal): Promise<Buffer> {
	const range = { atBytes: 0, lengthBytes: chunkBytes, firstBytes: chunkBytes, unitBytes: chunkBytes };
	return Buffer.concat(await ranges.digests(path, range, signal));
}
