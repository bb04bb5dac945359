import type { ChunkRef } from '../../model/chunk.ts';
import { lookAtPlace } from '../look-at-place.ts';
import { refOf } from '../format/pack.ts';
import { allPackFooters } from '../pack-footers.ts';
import type { Store } from '../store/contract.ts';

/** Chunks remembered, some 50 MB: with more than these the count of what is lost is a lower bound. */
const maxSuspects = 262_144;

/**
 * Chunks that are not where a footer or a page says. Whether they are lost one pass over all footers tells for all of them,
 * where asking for each would be a pass for each.
 */
export class Suspects {
	/** By digest: the places that do not hold it. */
	readonly #wrong = new Map<string, Set<string>>();
	readonly #elsewhere = new Map<string, ChunkRef>();
	readonly #max: number;
	#settled = false;

	constructor(max = maxSuspects) {
		this.#max = max;
	}

	get count(): number {
		return this.#wrong.size;
	}

	/** Whether it is, or will be, looked for: there may be too many of them, and nobody looks any more after {@link settle}. */
	add({ digest, packId, offsetBytes }: ChunkRef): boolean {
		const places = this.#wrong.get(digest);
		if (places === undefined && (this.#settled || this.#wrong.size >= this.#max)) return false;
		if (places === undefined) this.#wrong.set(digest, new Set([`${packId}/${offsetBytes}`]));
		else places.add(`${packId}/${offsetBytes}`);
		return true;
	}

	/** Looks for each in all other places. */
	async settle(store: Store, signal?: AbortSignal): Promise<void> {
		this.#settled = true;
		if (this.#wrong.size === 0) return;
		for await (const { packId, kind, chunks } of allPackFooters(store, () => {}, signal))
			for (const chunk of chunks) {
				const places = this.#wrong.get(chunk.digest);
				if (places === undefined || this.#elsewhere.has(chunk.digest)) continue;
				if (places.has(`${packId}/${chunk.offsetBytes}`)) continue;
				const ref = refOf(packId, chunk);
				const { found } = await lookAtPlace(store, ref, kind, signal);
				if (found === 'right') this.#elsewhere.set(chunk.digest, ref);
			}
	}

	/** After {@link settle}: where it is as well; undefined when no other place holds it. */
	elsewhere(digest: string): ChunkRef | undefined {
		return this.#elsewhere.get(digest);
	}

	/** No place that anybody knows holds it. Nothing counts as lost before {@link settle}. */
	isLost(digest: string): boolean {
		return this.#settled && this.#wrong.has(digest) && !this.#elsewhere.has(digest);
	}

	get anyLost(): boolean {
		return this.#elsewhere.size < this.#wrong.size;
	}
}
