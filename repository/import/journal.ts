import type { ChunkRef } from '../../model/chunk.ts';

/**
 * What an import has stored so far, for another attempt (docs/format.md, "Journal"). Chunks are added in the order of the
 * disks; what is left out is zero.
 */
export interface ImportJournal {
	/** What an earlier attempt has stored here; asked for in ascending order. Undefined past the journal's end. */
	recall(disk: number, index: number): Promise<ChunkRef | 'zero' | undefined>;
	/** A chunk past the journal's end. `open`: its pack is not in the store yet, and `packStored` will tell when it is. */
	add(disk: number, index: number, ref: ChunkRef, open: boolean): Promise<void>;
	/** All of a disk was added. */
	endDisk(disk: number, chunkCount: number): Promise<void>;
	packStored(packId: string): Promise<void>;
	/** Chunks that wait for a pack: with too many of them the pack is to be closed. */
	readonly waiting: number;
	/** Ends the beat that says that this import lives. */
	close(): Promise<void>;
}
