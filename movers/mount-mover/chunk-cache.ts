/** Decoded chunks by key, bounded in bytes; the one that was not used for longest goes first. */
export class ChunkCache {
	readonly #maxBytes: number;
	readonly #onEvicted: (key: number) => void;
	/** Insertion order is order of use. */
	readonly #chunks = new Map<number, Buffer>();
	#bytes = 0;
	// The chunk used last, while it is the last in order: reads come in runs, and need not move it there each time.
	#lastKey = -1;
	#last: Buffer | undefined;

	/** `onEvicted`: it went for want of room. */
	constructor(maxBytes: number, onEvicted: (key: number) => void = () => {}) {
		this.#maxBytes = maxBytes;
		this.#onEvicted = onEvicted;
	}

	get bytes(): number {
		return this.#bytes;
	}

	get(key: number): Buffer | undefined {
		if (key === this.#lastKey) return this.#last;
		const chunk = this.#chunks.get(key);
		if (chunk === undefined) return undefined;
		this.#chunks.delete(key);
		this.#chunks.set(key, chunk);
		this.#lastKey = key;
		this.#last = chunk;
		return chunk;
	}

	/** Whether it is there, without counting as use. */
	has(key: number): boolean {
		return this.#chunks.has(key);
	}

	set(key: number, chunk: Buffer): void {
		this.delete(key);
		this.#chunks.set(key, chunk);
		this.#bytes += chunk.length;
		this.#lastKey = -1;
		this.#last = undefined;
		for (const oldest of this.#chunks.keys()) {
			if (this.#bytes <= this.#maxBytes) return;
			this.delete(oldest);
			this.#onEvicted(oldest);
		}
	}

	delete(key: number): void {
		const chunk = this.#chunks.get(key);
		if (chunk === undefined) return;
		this.#chunks.delete(key);
		this.#bytes -= chunk.length;
		if (key === this.#lastKey) {
			this.#lastKey = -1;
			this.#last = undefined;
		}
	}
}
