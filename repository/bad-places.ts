import type { ChunkRef } from '../model/chunk.ts';

/** Places that did not hold what they should (docs/format.md, "Bad places"). */
export class BadPlaces {
	readonly #places = new Set<string>();

	has({ packId, offsetBytes }: Pick<ChunkRef, 'packId' | 'offsetBytes'>): boolean {
		return this.#places.has(`${packId}/${offsetBytes}`);
	}
}
