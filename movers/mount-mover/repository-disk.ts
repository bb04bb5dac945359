import type { DiskImage } from '../../model/chunk.ts';
import type { RouseError } from '../../model/errors.ts';
import { type ChunkDamage, isChunkDamage } from '../../repository/damage.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import type { BadChunk } from '../config.ts';
import type { CachedChunk } from './cached-chunk.ts';
import type { ChunkCache } from './chunk-cache.ts';
import { chunkKey } from './chunk-key.ts';
import type { ChunkFetcher, ChunkReceiver, MountedChunk } from './chunk-fetcher.ts';
import type { Counters } from './counters.ts';
import { DamagedChunks } from './damaged-chunks.ts';
import { PageLookup, type PageWaiter } from './page-lookup.ts';

/** What all disks share. */
export interface SharedParts {
	cache: ChunkCache<CachedChunk>;
	fetcher: ChunkFetcher;
	counters: Counters;
}

export interface DiskIdentity {
	name: string;
	/** Position among the disks, under 64. */
	number: number;
}

export interface DiskNews {
	/** A chunk that was verified; `stored` is valid until the call returns. */
	onChunk: (index: number, stored: Uint8Array) => void;
	/** A chunk, or a page (`index` is then its first chunk), that matches its digest nowhere. */
	onDamage: (index: number, error: RouseError) => void;
}

/**
 * What came of a chunk that was asked for: itself, kept until the call returns, or why there is none, or undefined for "look
 * again where it is".
 */
export type Obtained = CachedChunk | RouseError | undefined;

/** Where the bytes `from` to `to` of a chunk go. */
export interface CopiedPart {
	into: Buffer;
	at: number;
	from: number;
	to: number;
}

/** A disk as it lies in the repository: knows what of it is in memory, zero or damaged, and gets the rest. */
export class RepositoryDisk implements ChunkReceiver {
	readonly image: DiskImage;
	readonly chunkCount: number;
	readonly #number: number;
	readonly #reader: DiskReader;
	readonly #shared: SharedParts;
	readonly #news: DiskNews;
	readonly #pages: PageLookup;
	readonly #damaged: DamagedChunks;
	/** Those of which a frame was bad, until all of their bytes have come, or it is known that they cannot. */
	readonly #doubtful = new Set<number>();

	constructor({ name, number }: DiskIdentity, reader: DiskReader, shared: SharedParts, news: DiskNews) {
		this.image = reader.image;
		this.chunkCount = reader.chunkCount;
		this.#number = number;
		this.#reader = reader;
		this.#shared = shared;
		this.#news = news;
		this.#damaged = new DamagedChunks(name);
		this.#pages = new PageLookup(reader, (firstIndex, error) => {
			this.#damaged.addPage(firstIndex, error);
			news.onDamage(firstIndex, error);
		});
	}

	get badChunks(): BadChunk[] {
		return this.#damaged.list();
	}

	/** The chunk when it needs no fetching: from memory, zero, or known damage. */
	atHand(index: number): CachedChunk | 'zero' | RouseError | undefined {
		const cached = this.#shared.cache.get(this.#keyOf(index));
		if (cached !== undefined) return cached;
		return this.#pages.entry(index) === 'zero' ? 'zero' : this.#damaged.get(index);
	}

	/**
	 * Copies bytes of a chunk that is in memory. False when they are wrong: then it is to be obtained again, and comes from
	 * where all of it is right, or is damaged. So a flipped bit costs nothing but time as long as there is another place.
	 */
	copy(index: number, chunk: CachedChunk, { into, at, from, to }: CopiedPart): boolean {
		return this.#decoding(index, chunk, () => chunk.copy(into, at, from, to));
	}

	/** Where bytes of a chunk that is in memory lie; it is kept from now on. Undefined when they are wrong, as above. */
	parts(index: number, chunk: CachedChunk, from: number, to: number): readonly Buffer[] | undefined {
		let parts: readonly Buffer[] = [];
		chunk.keep();
		if (this.#decoding(index, chunk, () => (parts = chunk.parts(from, to)))) return parts;
		chunk.letGo();
		return undefined;
	}

	damageOf(index: number): RouseError | undefined {
		return this.#damaged.get(index);
	}

	/** Undefined when the chunk's page has to be loaded first. */
	contentOf(index: number): 'data' | 'zero' | undefined {
		const entry = this.#pages.entry(index);
		return entry === undefined || entry === 'zero' ? entry : 'data';
	}

	/** Loads the page of a chunk and calls `waiter` once, later, unless the returned function is called before. */
	loadPage(index: number, waiter: PageWaiter): () => void {
		return this.#pages.load(index, waiter);
	}

	/**
	 * Begins to get a chunk that is not at hand and calls `waiter` once, later, unless the returned function is called
	 * before.
	 */
	obtain(index: number, waiter: (obtained: Obtained) => void): () => void {
		const chunk = this.#chunk(index);
		return chunk ? this.#shared.fetcher.want(chunk, waiter) : this.#pages.load(index, waiter);
	}

	/** Fetches a chunk that is not at hand when there is time. Does not load its page. */
	obtainAhead(index: number): void {
		if (this.#shared.cache.has(this.#keyOf(index)) || this.#damaged.get(index)) return;
		const chunk = this.#chunk(index);
		if (chunk) this.#shared.fetcher.wantAhead(chunk);
	}

	/**
	 * As `obtain`, behind all reads; undefined is told of a chunk that is zero. Whoever asks bounds how many.
	 */
	obtainBehindReads(index: number, waiter: (obtained: Obtained) => void): void {
		const entry = this.#pages.entry(index);
		const chunk = this.#chunk(index);
		if (chunk) this.#shared.fetcher.wantBehindReads(chunk, waiter);
		else if (entry === 'zero') waiter(undefined);
		else
			this.#pages.load(index, failure => {
				if (failure) waiter(failure);
				else this.obtainBehindReads(index, waiter);
			});
	}

	/** Whether its bytes are in memory, without counting as use. */
	isInMemory(index: number): boolean {
		return this.#shared.cache.has(this.#keyOf(index));
	}

	/** After a repair: what was damaged is asked for again. */
	forgetDamage(): void {
		this.#damaged.forget();
	}

	/** Nobody who waits is called any more. */
	close(): void {
		this.#pages.close();
	}

	arrived(index: number, chunk: CachedChunk, stored: Uint8Array): void {
		const { cache, counters } = this.#shared;
		if (chunk.undecoded(0, chunk.rawBytes) === 0) this.#doubtful.delete(index);
		cache.set(this.#keyOf(index), chunk);
		counters.fetchedChunks += 1;
		counters.fetchedBytes += stored.length;
		this.#news.onChunk(index, stored);
	}

	damaged(index: number, damage: ChunkDamage): void {
		this.#doubtful.delete(index);
		this.#damaged.addChunk(index, damage);
		this.#news.onDamage(index, damage);
	}

	#decoding(index: number, chunk: CachedChunk, work: () => void): boolean {
		const { cache } = this.#shared;
		const key = this.#keyOf(index);
		const before = chunk.length;
		try {
			work();
		} catch (error) {
			if (!isChunkDamage(error)) throw error;
			this.#doubtful.add(index);
			cache.delete(key, chunk);
			return false;
		}
		if (chunk.length !== before) cache.resized(key, chunk);
		return true;
	}

	/** Undefined when its page is not loaded, or it is zero. */
	#chunk(index: number): MountedChunk | undefined {
		const ref = this.#pages.entry(index);
		if (ref === undefined || ref === 'zero') return undefined;
		return {
			key: this.#keyOf(index),
			index,
			...this.#reader.wanted(index, ref),
			receiver: this,
			doubtful: this.#doubtful.has(index),
		};
	}

	#keyOf(index: number): number {
		return chunkKey(this.#number, index);
	}
}
