import type { ChunkRef, DiskImage } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import type { ChunkClass, PlaceInPoint } from './chunk-source.ts';
import { isDamage } from './damage.ts';
import { PageCache } from './page-cache.ts';
import { Page } from './format/page.ts';
import {
	chunkRawBytes,
	chunksPerEntry,
	pageEntries,
	pageMapOf,
	pageRawBytes,
	type PageMap,
} from './format/page-map.ts';
import type { PageEntry } from './format/reference.ts';
import type { VerifiedChunks, WantedChunk } from './verified-chunks.ts';

export interface DiskReaderOptions {
	/** Bound of the pages kept; 16 MiB of pages cover 37 GiB of disk. */
	cacheBytes?: number;
	/** How urgent its pages are. */
	class?: ChunkClass;
	/** A page that is damaged is not asked for again: for who asks for every chunk under it, and each answer costs a look at all packs. */
	remembersDamage?: boolean;
}

/** What lies under one leaf of the page map, or under a zero entry above it. */
export interface Leaf {
	firstIndex: number;
	count: number;
	/** Undefined: all of it is zero. Entry 0 is the chunk `firstIndex - firstIndex % 1024`. */
	page: Page | undefined;
}

export interface DiskExtent {
	offsetBytes: number;
	lengthBytes: number;
	zero: boolean;
}

export interface DamagedPage {
	level: number;
	/** First chunk under it, and how many. */
	firstIndex: number;
	count: number;
	ref: ChunkRef;
	error: RouseError;
}

export interface LeafRange {
	/** First chunk. */
	from?: number;
	/** One past the last chunk. */
	to?: number;
	signal?: AbortSignal | undefined;
	/** Told about a page that cannot be had, which is then left out. Without it such a page is thrown. */
	onDamage?: ((damage: DamagedPage) => void) | undefined;
}

/** Leaves asked for at once by a walk: 2 GiB of disk, under 1 MiB of pages. */
const leavesPerFetch = 16;

/**
 * Where the chunks of a restore point's disk are. Opens in no time whatever the disk's size: pages are read when they
 * are needed, zero parts of the disk have none. MAY be used concurrently.
 */
export class DiskReader {
	readonly image: DiskImage;
	readonly map: PageMap;
	readonly #chunks: VerifiedChunks;
	readonly #class: ChunkClass;
	readonly #pages: PageCache;
	/** By level and number; undefined: nothing is remembered. */
	readonly #damaged: Map<string, RouseError> | undefined;
	readonly #rootLevel: number;

	constructor(
		chunks: VerifiedChunks,
		image: DiskImage,
		{ cacheBytes = 16 * 1024 * 1024, class: urgency = 'mount', remembersDamage = false }: DiskReaderOptions = {},
	) {
		this.image = image;
		this.map = pageMapOf(image);
		this.#chunks = chunks;
		this.#class = urgency;
		this.#pages = new PageCache(cacheBytes);
		this.#damaged = remembersDamage ? new Map() : undefined;
		this.#rootLevel = this.map.levels.length - 1;
	}

	get chunkCount(): number {
		return this.map.chunkCount;
	}

	/** Exact bytes of the chunk: what `decodeChunk` wants to know. */
	rawBytesOf(index: number): number {
		return chunkRawBytes(this.map, index);
	}

	/** How the chunk is asked for. */
	wanted(index: number, ref: ChunkRef): WantedChunk {
		return { ref, rawBytes: this.rawBytesOf(index), ...this.#placeOf(0, index) };
	}

	/** For hot paths: like {@link lookup} when the page is in memory, else undefined. */
	lookupCached(index: number): PageEntry | undefined {
		this.#checkIndex(index);
		if (this.image.root === undefined) return 'zero';
		return this.#pages.get(0, Math.floor(index / pageEntries))?.entry(index % pageEntries);
	}

	/**
	 * The chunk's reference. Throws what its chunks throw, `chunk_bad` or `chunk_missing` for a page, `format_damaged`
	 * for a page that is not one. Unless damage is remembered, the next call asks again.
	 */
	async lookup(index: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<PageEntry> {
		const cached = this.lookupCached(index);
		if (cached !== undefined) return cached;
		const page = await this.leafPage(index, { signal });
		return page === undefined ? 'zero' : page.entry(index % pageEntries);
	}

	/** Zero and data parts of a range, merged, in order, from `offsetBytes` on; zero subtrees are not read. */
	async *extents({
		offsetBytes = 0,
		lengthBytes = this.map.sizeBytes - offsetBytes,
		signal,
	}: {
		offsetBytes?: number;
		lengthBytes?: number;
		signal?: AbortSignal | undefined;
	} = {}): AsyncGenerator<DiskExtent> {
		const { chunkSizeBytes, sizeBytes } = this.map;
		const end = Math.min(sizeBytes, offsetBytes + lengthBytes);
		if (offsetBytes >= end) return;
		let open: DiskExtent | undefined;
		const range = { from: Math.floor(offsetBytes / chunkSizeBytes), to: Math.ceil(end / chunkSizeBytes), signal };
		for await (const { firstIndex, count, zero } of this.runs(range)) {
			const start = Math.max(offsetBytes, firstIndex * chunkSizeBytes);
			const lengthHere = Math.min(end, (firstIndex + count) * chunkSizeBytes) - start;
			if (open?.zero === zero) open.lengthBytes += lengthHere;
			else {
				if (open) yield open;
				open = { offsetBytes: start, lengthBytes: lengthHere, zero };
			}
		}
		if (open) yield open;
	}

	/** Runs of chunks that are all zero or all not, in order; neighbours of one kind are merged within a page only. */
	async *runs(range: LeafRange = {}): AsyncGenerator<{ firstIndex: number; count: number; zero: boolean }> {
		for await (const { firstIndex, count, page } of this.leaves(range)) {
			if (page === undefined) {
				yield { firstIndex, count, zero: true };
				continue;
			}
			const last = firstIndex + count;
			for (let index = firstIndex; index < last; ) {
				const zero = page.isZero(index % pageEntries);
				let next = index + 1;
				while (next < last && page.isZero(next % pageEntries) === zero) next++;
				yield { firstIndex: index, count: next - index, zero };
				index = next;
			}
		}
	}

	/** The leaves that a range of chunks touches, in order, cut to the range. */
	async *leaves({ from = 0, to = this.chunkCount, signal, onDamage }: LeafRange = {}): AsyncGenerator<Leaf> {
		if (from >= to) return;
		this.#checkIndex(from);
		this.#checkIndex(to - 1);
		if (this.image.root === undefined) yield { firstIndex: from, count: to - from, page: undefined };
		else yield* this.#walk(this.#rootLevel, 0, this.image.root, { from, to, signal, onDamage });
	}

	async *#walk(level: number, number: number, ref: ChunkRef, range: WalkRange): AsyncGenerator<Leaf> {
		const perPage = chunksPerEntry(level + 1);
		const firstIndex = Math.max(range.from, number * perPage);
		const count = Math.min(range.to, (number + 1) * perPage) - firstIndex;
		let page: Page;
		try {
			page = await this.#load(level, number, ref, range.signal);
		} catch (error) {
			if (range.onDamage === undefined || !isDamage(error)) throw error;
			range.onDamage({ level, firstIndex, count, ref, error });
			return;
		}
		if (level === 0) yield { firstIndex, count, page };
		else yield* this.#walkChildren(level, number, page, range, { firstIndex, last: firstIndex + count - 1 });
	}

	async *#walkChildren(
		level: number,
		number: number,
		page: Page,
		range: WalkRange,
		{ firstIndex, last }: { firstIndex: number; last: number },
	): AsyncGenerator<Leaf> {
		const perChild = chunksPerEntry(level);
		const firstChild = Math.floor(firstIndex / perChild);
		const lastChild = Math.floor(last / perChild);
		let fetched = firstChild;
		for (let child = firstChild; child <= lastChild; child++) {
			const entry = page.entry(child - number * pageEntries);
			if (entry === 'zero') {
				// Zero neighbours as one leaf: a sparse disk of any size is a handful of steps.
				let next = child + 1;
				while (next <= lastChild && page.isZero(next - number * pageEntries)) next++;
				const start = Math.max(firstIndex, child * perChild);
				yield { firstIndex: start, count: Math.min(last + 1, next * perChild) - start, page: undefined };
				child = next - 1;
				continue;
			}
			if (level === 1 && child >= fetched) {
				fetched = Math.min(lastChild + 1, child + leavesPerFetch);
				await this.#prefetch(page, number, child, fetched - 1, range.signal);
			}
			yield* this.#walk(level - 1, child, entry, range);
		}
	}

	/** Loads leaves with one request instead of one each. What fails here fails again, and is told, when it is used. */
	async #prefetch(
		parent: Page,
		number: number,
		first: number,
		last: number,
		signal: AbortSignal | undefined,
	): Promise<void> {
		const leaves: (WantedChunk & { leaf: number })[] = [];
		for (let leaf = first; leaf <= last; leaf++) {
			const entry = parent.entry(leaf - number * pageEntries);
			if (entry === 'zero' || this.#pages.get(0, leaf) !== undefined) continue;
			leaves.push({ leaf, ...this.#wantedPage(0, leaf, entry) });
		}
		if (leaves.length < 2) return;
		for await (const { wanted, bytes } of this.#chunks.fetch(leaves, { class: this.#class, signal })) {
			if (bytes === undefined) continue;
			try {
				this.#pages.set(0, wanted.leaf, new Page(bytes));
			} catch (error) {
				if (!isDamage(error)) throw error;
			}
		}
	}

	/** The page of the leaf that a chunk is in; undefined when all of that leaf is zero. Throws as {@link lookup}. */
	async leafPage(index: number, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<Page | undefined> {
		this.#checkIndex(index);
		return this.#pageAt(0, Math.floor(index / pageEntries), signal);
	}

	/** What stands in a place of this disk; undefined when it has no such place. Throws as {@link lookup}. */
	async entryAt(
		{ height, number }: Pick<PlaceInPoint, 'height' | 'number'>,
		{ signal }: { signal?: AbortSignal | undefined } = {},
	): Promise<PageEntry | undefined> {
		const places = height === 0 ? this.chunkCount : (this.map.levels[height - 1] ?? 0);
		if (number >= places) return undefined;
		if (height === 0) return this.lookup(number, { signal });
		if (height > this.#rootLevel) return this.image.root ?? 'zero';
		const page = await this.#pageAt(height, Math.floor(number / pageEntries), signal);
		return page === undefined ? 'zero' : page.entry(number % pageEntries);
	}

	async #pageAt(level: number, number: number, signal: AbortSignal | undefined): Promise<Page | undefined> {
		let entry: PageEntry = this.image.root ?? 'zero';
		for (let at = this.#rootLevel; ; at--) {
			if (entry === 'zero') return undefined;
			const page = await this.#load(at, Math.floor(number / chunksPerEntry(at - level)), entry, signal);
			if (at === level) return page;
			entry = page.entry(Math.floor(number / chunksPerEntry(at - level - 1)) % pageEntries);
		}
	}

	async #load(level: number, number: number, ref: ChunkRef, signal: AbortSignal | undefined): Promise<Page> {
		const known = this.#damaged?.get(`${level}/${number}`);
		if (known !== undefined) throw known;
		const request = { ...this.#wantedPage(level, number, ref), class: this.#class };
		try {
			return await this.#pages.load(level, number, this.#chunks, request, signal);
		} catch (error) {
			if (isDamage(error)) this.#damaged?.set(`${level}/${number}`, error);
			throw error;
		}
	}

	#wantedPage(level: number, number: number, ref: ChunkRef): WantedChunk {
		const rawBytes = pageRawBytes(this.map, level, number);
		return { ref, rawBytes, kind: 'page', ...this.#placeOf(level + 1, number) };
	}

	#placeOf(height: number, number: number): { place?: PlaceInPoint } {
		const { root } = this.image;
		return root === undefined ? {} : { place: { root: root.digest, height, number } };
	}

	#checkIndex(index: number): void {
		if (!(index >= 0 && index < this.map.chunkCount))
			throw new RouseError('internal', `chunk ${index} of a disk of ${this.map.chunkCount} chunks`);
	}
}

type WalkRange = Required<Pick<LeafRange, 'from' | 'to'>> & Pick<LeafRange, 'signal' | 'onDamage'>;
