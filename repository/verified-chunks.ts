import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import type { ChunkClass, ChunkSource, PlaceInPoint, PlacedRef } from './chunk-source.ts';
import { type ChunkDamage, isChunkDamage } from './damage.ts';
import { decodeChunk } from './format/chunk.ts';
import type { ChunkKind } from './format/frame-table.ts';

export interface WantedChunk {
	/** Its place is a hint. */
	ref: ChunkRef;
	/** Exact bytes of the chunk. */
	rawBytes: number;
	/** Whether it is a page of a map; a chunk of a disk by default. */
	kind?: ChunkKind;
	place?: PlaceInPoint;
}

/** What came of a chunk that was wanted: its bytes, or why they cannot be had. */
export type FetchedChunk<W extends WantedChunk> =
	| {
			wanted: W;
			/** They matched the digest. The receiver's. */
			bytes: Buffer;
			/** As it lies in the pack; valid until the next chunk is asked for. */
			stored: Uint8Array;
			damage?: undefined;
	  }
	| { wanted: W; bytes?: undefined; stored?: undefined; damage: ChunkDamage };

export interface FetchOptions {
	class: ChunkClass;
	signal?: AbortSignal | undefined;
}

/**
 * Chunks of a source whose bytes matched their digests: what everybody who reads a restore point stands on. When the
 * bytes at a place do not match, the packs' footers are asked once for another place before the chunk counts as damaged.
 * MAY be used concurrently. It does not close its source.
 */
export class VerifiedChunks {
	readonly #source: ChunkSource;

	constructor(source: ChunkSource) {
		this.#source = source;
	}

	/**
	 * What came of each wanted chunk, in the order of `wanted`; a damaged one keeps no other from coming. Throws what the
	 * source throws but damage (`store_unreachable`, the signal's reason), and `protocol` for a source that answers more or
	 * less than it was asked.
	 */
	async *fetch<W extends WantedChunk>(wanted: readonly W[], options: FetchOptions): AsyncGenerator<FetchedChunk<W>> {
		let next = 0;
		let locate = false;
		while (next < wanted.length) {
			const end = locate ? next + 1 : wanted.length;
			const refs = wanted.slice(next, end).map(placed);
			try {
				for await (const { stored } of this.#source.fetch(refs, { ...options, locate })) {
					const chunk = wanted[next];
					if (chunk === undefined || next === end)
						throw new RouseError('protocol', `more than the ${refs.length} chunks asked for`);
					const bytes = decodeChunk(chunk.ref, stored, chunk.rawBytes, chunk.kind);
					next += 1;
					locate = false;
					yield { wanted: chunk, bytes, stored };
				}
				if (next < end) throw new RouseError('protocol', `${end - next} of ${refs.length} chunks were not answered`);
			} catch (error) {
				// Sources answer in order, so whatever is damaged is the next one: what follows it is asked for again.
				const suspect = wanted[next];
				if (suspect === undefined || !isChunkDamage(error)) throw error;
				// Of a chunk that is missing every pack was asked already.
				locate = !locate && error.code === 'chunk_bad';
				if (locate) continue;
				next += 1;
				yield { wanted: suspect, damage: error };
			}
		}
	}

	/** One chunk; damage is thrown. */
	async fetchOne(wanted: WantedChunk, options: FetchOptions): Promise<Buffer> {
		let fetched: FetchedChunk<WantedChunk> | undefined;
		// To the end of the answer, though it has but one chunk: leaving it earlier costs a mover's client the connection.
		for await (const chunk of this.fetch([wanted], options)) fetched = chunk;
		if (fetched?.bytes !== undefined) return fetched.bytes;
		throw fetched?.damage ?? new RouseError('internal', `nothing came of chunk ${wanted.ref.digest}`);
	}
}

function placed({ ref, place }: WantedChunk): PlacedRef {
	return place === undefined ? ref : { ...ref, place };
}
