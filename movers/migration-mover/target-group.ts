import type { ChunkRange } from '../restored-map/layout.ts';

/** Chunks that were written to a target and are not yet synced and recorded. */
export class TargetGroup {
	readonly #ranges: ChunkRange[] = [];
	#bytes = 0;

	/** Bytes of disk written; ranges that needed no writing count nothing. */
	get bytes(): number {
		return this.#bytes;
	}

	get empty(): boolean {
		return this.#ranges.length === 0;
	}

	add(range: ChunkRange, writtenBytes: number): void {
		this.#ranges.push({ ...range });
		this.#bytes += writtenBytes;
	}

	/** In order, neighbours as one: two batches that are copied side by side make few records. */
	ranges(): ChunkRange[] {
		const merged: ChunkRange[] = [];
		for (const range of this.#ranges.toSorted((a, b) => a.first - b.first)) {
			const last = merged.at(-1);
			if (last !== undefined && range.first <= last.first + last.count)
				last.count = Math.max(last.count, range.first + range.count - last.first);
			else merged.push({ ...range });
		}
		return merged;
	}
}
