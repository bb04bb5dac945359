import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { entriesOfPage, pageEntries, type PageMap, pageRawBytes } from '../format/page-map.ts';
import { chunkRefBytes, encodeChunkRef } from '../format/reference.ts';

interface OpenPage {
	number: number;
	bytes: Buffer;
}

/** Stores a page, or finds it stored already, and tells where. */
export type StorePage = (page: Buffer, level: number, number: number) => Promise<ChunkRef>;

/**
 * Builds a disk's page map from its chunks in ascending order; what is left out is zero. One page of each level is open
 * at a time, and zero pages are never made, so a sparse disk costs what its data costs.
 */
export class PageTreeWriter {
	readonly #map: PageMap;
	readonly #store: StorePage;
	readonly #open: (OpenPage | undefined)[] = [];
	#root: ChunkRef | undefined;

	constructor(map: PageMap, store: StorePage) {
		this.#map = map;
		this.#store = store;
	}

	/** `index` must be greater than any before. */
	async add(index: number, ref: ChunkRef): Promise<void> {
		await this.#add(0, index, ref);
	}

	/** A leaf that is not all zero, whole; its chunks must be behind any before. `page` must not change any more. */
	async addLeaf(number: number, page: Buffer): Promise<void> {
		await this.#close(0);
		this.#open[0] = { number, bytes: page };
		await this.#close(0);
	}

	/** Closes all open pages. No root: the disk is zero. */
	async finish(): Promise<ChunkRef | undefined> {
		for (let level = 0; level < this.#map.levels.length; level++) await this.#close(level);
		return this.#root;
	}

	async #add(level: number, index: number, ref: ChunkRef): Promise<void> {
		const number = Math.floor(index / pageEntries);
		if (this.#open[level]?.number !== number) await this.#close(level);
		const page = (this.#open[level] ??= { number, bytes: Buffer.alloc(pageRawBytes(this.#map, level, number)) });
		const entry = index % pageEntries;
		if (entry >= entriesOfPage(this.#map, level, number))
			throw new RouseError('internal', `entry ${index} of level ${level} is past the disk's end`);
		encodeChunkRef(ref, page.bytes, entry * chunkRefBytes);
	}

	async #close(level: number): Promise<void> {
		const page = this.#open[level];
		if (page === undefined) return;
		this.#open[level] = undefined;
		const ref = await this.#store(page.bytes, level, page.number);
		if (level === this.#map.levels.length - 1) this.#root = ref;
		else await this.#add(level + 1, page.number, ref);
	}
}
