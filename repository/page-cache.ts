import type { ChunkClass } from './chunk-source.ts';
import { Page } from './format/page.ts';
import { pageEntries } from './format/page-map.ts';
import { chunkRefBytes } from './format/reference.ts';
import { untilAborted } from './until-aborted.ts';
import type { VerifiedChunks, WantedChunk } from './verified-chunks.ts';

interface PageRequest extends WantedChunk {
	class: ChunkClass;
}

/** Pages by level and number, the least recently used forgotten first; loads of one page that meet become one. */
export class PageCache {
	readonly #maxPages: number;
	/** Insertion order is order of use. */
	readonly #pages = new Map<number, Page>();
	readonly #loading = new Map<number, Promise<Page>>();
	// The page used last, while it is the last in order.
	#lastKey = -1;
	#lastPage: Page | undefined;

	constructor(maxBytes: number) {
		// A path from root to leaf must fit: else looking up one chunk could push out its own pages for ever.
		this.#maxPages = Math.max(8, Math.floor(maxBytes / (pageEntries * chunkRefBytes)));
	}

	get(level: number, number: number): Page | undefined {
		const key = keyOf(level, number);
		if (key === this.#lastKey) return this.#lastPage;
		const page = this.#pages.get(key);
		if (page === undefined) return undefined;
		this.#pages.delete(key);
		this.#pages.set(key, page);
		this.#lastKey = key;
		this.#lastPage = page;
		return page;
	}

	set(level: number, number: number, page: Page): void {
		this.#pages.set(keyOf(level, number), page);
		this.#lastKey = -1;
		this.#lastPage = undefined;
		const oldest = this.#pages.keys().next();
		if (this.#pages.size > this.#maxPages && oldest.done !== true) this.#pages.delete(oldest.value);
	}

	/**
	 * The page, from memory or from the repository. Aborting ends the caller's waiting and not the load: another may wait for
	 * the same page. A failed load is forgotten.
	 */
	async load(
		level: number,
		number: number,
		chunks: VerifiedChunks,
		request: PageRequest,
		signal: AbortSignal | undefined,
	): Promise<Page> {
		const cached = this.get(level, number);
		if (cached !== undefined) return cached;
		const key = keyOf(level, number);
		let loading = this.#loading.get(key);
		if (loading === undefined) {
			loading = this.#fetch(level, number, chunks, request).finally(() => this.#loading.delete(key));
			this.#loading.set(key, loading);
		}
		return untilAborted(loading, signal);
	}

	async #fetch(
		level: number,
		number: number,
		chunks: VerifiedChunks,
		{ class: urgency, ...wanted }: PageRequest,
	): Promise<Page> {
		const page = new Page(await chunks.fetchOne(wanted, { class: urgency }));
		this.set(level, number, page);
		return page;
	}
}

/** Eight levels are more than sizes of 2^53 bytes can need. */
function keyOf(level: number, number: number): number {
	return number * 8 + level;
}
