import type { ChunkRef } from '../../model/chunk.ts';
import type { BadPlaces } from '../bad-places.ts';
import { isChunkDamage } from '../damage.ts';
import type { IndexedChunks } from '../index/indexed-chunks.ts';
import type { VerifiedChunks } from '../verified-chunks.ts';
import type { BasePoint } from './base-point.ts';
import type { ChunkPosition, KnownChunks } from './chunk-storer.ts';

interface Sources {
	base: BasePoint;
	indexed: IndexedChunks;
	bad: BadPlaces;
	signal?: AbortSignal | undefined;
}

/** What a repository holds: docs/format.md, "An import", says when a chunk is known. */
export class RepositoryChunks implements KnownChunks {
	readonly #sources: Sources;

	constructor(sources: Sources) {
		this.#sources = sources;
	}

	async inBase(digest: Buffer, position: ChunkPosition): Promise<ChunkRef | undefined> {
		const { base, signal } = this.#sources;
		const ref = await base.find(digest, position, signal);
		return ref !== undefined && (await this.isUsable(ref)) ? ref : undefined;
	}

	async anywhere(digest: Buffer): Promise<ChunkRef | undefined> {
		const { indexed, bad, signal } = this.#sources;
		return indexed.find(digest, ref => !bad.has(ref), signal);
	}

	/** Whether its pack's footer says the same, and nobody has found its place bad. */
	async isUsable(ref: ChunkRef): Promise<boolean> {
		const { indexed, bad, signal } = this.#sources;
		return !bad.has(ref) && (await indexed.confirms(ref, signal));
	}
}

/** Pages that are known are read again before they are relied on: one bad page hides a thousand chunks. */
export class ReadPages implements KnownChunks {
	readonly #known: KnownChunks;
	readonly #chunks: VerifiedChunks;
	readonly #bad: BadPlaces;
	readonly #signal: AbortSignal | undefined;

	/** `bad`: where what reads the chunks marks bad places. */
	constructor(known: KnownChunks, chunks: VerifiedChunks, bad: BadPlaces, signal?: AbortSignal) {
		this.#known = known;
		this.#chunks = chunks;
		this.#bad = bad;
		this.#signal = signal;
	}

	async inBase(digest: Buffer, position: ChunkPosition, rawBytes: number): Promise<ChunkRef | undefined> {
		return this.#ifGood(await this.#known.inBase(digest, position, rawBytes), rawBytes);
	}

	async anywhere(digest: Buffer, rawBytes: number): Promise<ChunkRef | undefined> {
		return this.#ifGood(await this.#known.anywhere(digest, rawBytes), rawBytes);
	}

	async #ifGood(ref: ChunkRef | undefined, rawBytes: number): Promise<ChunkRef | undefined> {
		if (ref === undefined) return undefined;
		try {
			await this.#chunks.fetchOne({ ref, rawBytes, kind: 'page' }, { class: 'migration', signal: this.#signal });
			// It may have come from another place, because this one does not hold it.
			return this.#bad.has(ref) ? undefined : ref;
		} catch (error) {
			if (isChunkDamage(error)) return undefined;
			throw error;
		}
	}
}
