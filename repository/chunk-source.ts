/**
 * Where stored chunks come from: the store itself (a foreground `nbd serve`) or a repository mover (everything else).
 * Pages of a disk's map are chunks too, so this is all that reading a restore point takes. Readers stand on
 * verified-chunks.ts, and those who can only wait have retrying-chunk-source.ts under it.
 */
import type { ChunkRef } from '../model/chunk.ts';

/** `mount`: a guest waits for it. `ahead`: a guest is known to read it soon. `migration`: it can wait. */
export type ChunkClass = 'mount' | 'ahead' | 'migration';

/**
 * Where a reference stands in a restore point. A disk is named by the digest of its page map's root; height 0 is chunk
 * `number` of it, height n page `number` of the map's level n - 1, the root among them (docs/format.md, "Page map").
 */
export interface PlaceInPoint {
	root: string;
	height: number;
	number: number;
}

/** The place is for sources that give out chunks of one restore point alone (movers/repository-mover/point-requests.ts). */
export type PlacedRef = ChunkRef & { place?: PlaceInPoint };

export interface ChunkSource {
	/**
	 * Yields the stored bytes of each reference, in the order asked for. What is yielded is NOT verified. The buffer is
	 * valid until the next one is asked for.
	 *
	 * `locate`: do not trust the references' places, ask the packs' footers (used after bytes did not match a digest).
	 * Throws `chunk_missing` when no pack holds a digest, `chunk_bad` when the medium has lost it in every place,
	 * `store_unreachable` (transient) when the store does not answer, and the signal's reason.
	 * MAY be called concurrently. Breaking out of the loop ends the call and frees what it holds.
	 */
	fetch(
		refs: readonly PlacedRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncIterable<StoredChunk>;
	close(): Promise<void>;
}

export interface StoredChunk {
	ref: ChunkRef;
	/** As it lies in the pack: table and frames (docs/format.md, "Chunk"). */
	stored: Uint8Array;
}

/** A range is no longer than this, unless it is one chunk. */
export const maxRangeBytes = 1024 * 1024;

/** Chunks that lie behind each other in a pack, as they come in one piece. */
export interface StoredRange {
	/** In the order asked for. */
	refs: readonly ChunkRef[];
	/** Of each chunk, in bytes; of one that lies elsewhere it may be another than its reference says. */
	lengths: readonly number[];
	/** All of them, one behind the other; valid until the next range is asked for. */
	bytes: Buffer;
}

/** For hot paths: nothing is made for each chunk. */
export interface RangeSource extends ChunkSource {
	/**
	 * Fills `into`, which is as long as the chunk is stored, within this call. False when that cannot be, for whatever reason: `fetch`
	 * says why. Absent where it never can. What was filled is NOT verified.
	 */
	readNow?(ref: ChunkRef, into: Uint8Array): boolean;
	/** As `fetch`, in ranges; what has come before an error or the end of the loop is good all the same. */
	ranges(
		refs: readonly PlacedRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncIterable<StoredRange>;
}

export function isRangeSource(source: ChunkSource): source is RangeSource {
	return 'ranges' in source;
}

/** The chunks of ranges, one by one. */
export async function* chunksOf(ranges: AsyncIterable<StoredRange>): AsyncGenerator<StoredChunk, void, undefined> {
	for await (const { refs, lengths, bytes } of ranges) {
		let at = 0;
		for (const [position, ref] of refs.entries()) {
			const end = at + (lengths[position] ?? 0);
			yield { ref, stored: bytes.subarray(at, end) };
			at = end;
		}
	}
}
