/** What is kept in a cache. */
export interface Cached {
	/** In bytes of memory. Whoever changes it tells the cache. */
	readonly length: number;
	/** The cache holds it no more. */
	gone?(): void;
}

/** Chunks by key, bounded in bytes; the one that was not used for longest goes first. */
export class ChunkCache<Chunk extends Cached> {
	readonly #maxBytes: number;
	readonly #onEvicted: (key: number) => void;
	/** Insertion order is order of use. */
	readonly #chunks = new Map<number, { chunk: Chunk; bytes: number }>();
	#bytes = 0;
	// The chunk used last, while it is the last in order: reads come in runs, and need not move it there each time.
	#lastKey = -1;
	#last: Chunk | undefined;

	/** `onEvicted`: it went for want of room. */
	constructor(maxBytes: number, onEvicted: (key: number) => void = () => {}) {
		this.#maxBytes = maxBytes;
		this.#onEvicted = onEvicted;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get(key: number): Chunk | undefined {
		if (key === this.#lastKey) return this.#last;
		const cached = this.#chunks.get(key);
		if (cached === undefined) return undefined;
		this.#chunks.delete(key);
		this.#chunks.set(key, cached);
		this.#lastKey = key;
		this.#last = cached.chunk;
		return cached.chunk;
	}

	/** Whether it is there, without counting as use. */
	has(key: number): boolean {
		return this.#chunks.has(key);
	}

	set(key: number, chunk: Chunk): void {
		this.delete(key);
		this.#chunks.set(key, { chunk, bytes: chunk.length });
		this.#bytes += chunk.length;
		this.#lastKey = -1;
		this.#last = undefined;
		this.#evict();
	}

	/** Another length than it had, if this is the chunk that is kept by that key. */
	resized(key: number, chunk: Chunk): void {
		const cached = this.#chunks.get(key);
		if (cached?.chunk !== chunk) return;
		this.#bytes += chunk.length - cached.bytes;
		cached.bytes = chunk.length;
		this.#evict();
	}

	/** `only`: if this is the chunk that is kept by that key. */
	delete(key: number, only?: Chunk): void {
		const cached = this.#chunks.get(key);
		if (cached === undefined || (only !== undefined && cached.chunk !== only)) return;
		this.#chunks.delete(key);
		this.#bytes -= cached.bytes;
		if (key === this.#lastKey) {
			this.#lastKey = -1;
			this.#last = undefined;
		}
		cached.chunk.gone?.();
	}

	/** Those that are of no more use. */
	deleteAll(isUseless: (key: number) => boolean): void {
		for (const key of this.#chunks.keys()) if (isUseless(key)) this.delete(key);
	}

	#evict(): void {
		if (this.#bytes <= this.#maxBytes) return;
		for (const oldest of this.#chunks.keys()) {
			if (this.#bytes <= this.#maxBytes) return;
			this.delete(oldest);
			this.#onEvicted(oldest);
		}
	}
}
