import { type ChunkPlace, type FirstReads, maxFirstReads, runsOf } from '../first-reads.ts';
import { chunkKey } from './chunk-key.ts';

/** Notes which chunks are read, each once, in the order of their first reads; until it is asked for them, or has enough. */
export class FirstReadsRecord {
	/** By key, in order. */
	readonly #places = new Map<number, ChunkPlace>();
	#open = true;
	#lastKey = -1;

	note(disk: number, index: number): void {
		if (!this.#open) return;
		const key = chunkKey(disk, index);
		if (key === this.#lastKey) return; // reads come in runs
		this.#lastKey = key;
		if (this.#places.has(key)) return;
		this.#places.set(key, { disk, index });
		if (this.#places.size === maxFirstReads) this.#open = false;
	}

	/** Ends it: who asks again gets the same. Without those that `isZero`, which nobody needs to fetch. */
	end(isZero: (place: ChunkPlace) => boolean): FirstReads {
		this.#open = false;
		return runsOf([...this.#places.values()].filter(place => !isZero(place)));
	}
}
