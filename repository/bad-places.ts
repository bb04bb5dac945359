import { hostname } from 'node:os';
import * as z from 'zod';
import { type ChunkRef, chunkRefSchema } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import { mayDelete } from './features.ts';
import { badPlaceOfKey, keys } from './format/keys.ts';
import { damagedObject, openSealedJson, sealJson } from './format/sealed-json.ts';
import { readObject } from './read-object.ts';
import type { Store } from './store/contract.ts';

const type = 'rouse-bad-place';

/** A place that does not hold what it should (docs/format.md, "Bad place"). */
const badPlaceSchema = chunkRefSchema.extend({
	reason: z.string().max(500),
	foundAt: z.iso.datetime(),
	hostname: z.string().max(255),
});
export type BadPlace = z.infer<typeof badPlaceSchema>;

type Place = Pick<ChunkRef, 'packId' | 'offsetBytes'>;

/** Kept in memory, some 20 MB: with so many the disk is bad and not its places, and one more changes nothing. */
const maxPlaces = 262_144;

/**
 * Places that did not hold what they should, of this repository: importers do not rely on them, readers look elsewhere first. By
 * their keys alone, so that a mark that is damaged is a mark still: it costs a chunk that is stored twice.
 */
export class BadPlaces {
	readonly #store: Store | undefined;
	readonly #places = new Set<string>();

	/** Empty. Without a store no mark is written. */
	constructor(store?: Store) {
		this.#store = store;
	}

	/** Those that the store lists. Marks that cannot be listed, while the store answers, keep nobody from reading. */
	static async load(store: Store, signal?: AbortSignal): Promise<BadPlaces> {
		const places = new BadPlaces(store);
		try {
			for await (const { key } of store.list(keys.badPlaces, signal)) {
				const place = badPlaceOfKey(key);
				if (place !== undefined) places.#remember(place);
				if (places.count === maxPlaces) break;
			}
		} catch (error) {
			if (!(error instanceof RouseError) || (error.code !== 'format_damaged' && error.code !== 'io_failed'))
				throw error;
		}
		return places;
	}

	get count(): number {
		return this.#places.size;
	}

	has(place: Place): boolean {
		return this.#places.size > 0 && this.#places.has(nameOf(place));
	}

	/**
	 * Notes that this place was read twice and does not hold the chunk; durably, if the repository can be written. Never throws:
	 * whoever reads goes on reading, and a mark that is missing is made by the next one who meets the place.
	 */
	async mark(ref: ChunkRef, reason: string, now: () => Date = () => new Date()): Promise<void> {
		if (this.has(ref) || this.count >= maxPlaces) return;
		this.#remember(ref);
		const { digest, packId, offsetBytes, storedBytes } = ref;
		const content: BadPlace = {
			digest,
			packId,
			offsetBytes,
			storedBytes,
			reason: reason.slice(0, 500),
			foundAt: now().toISOString(),
			hostname: hostname().slice(0, 255),
		};
		try {
			await this.#store?.putExclusive(keys.badPlace(packId, offsetBytes), sealJson(type, content));
		} catch {
			// Read-only, full, or away again: see above.
		}
	}

	/** Takes the mark of a place away that was read and found right, or whose pack is gone. Throws `repository_unsupported`. */
	async clear(place: Place): Promise<void> {
		if (this.#store !== undefined) {
			await mayDelete(this.#store);
			await this.#store.delete(keys.badPlace(place.packId, place.offsetBytes));
		}
		this.#places.delete(nameOf(place));
	}

	#remember(place: Place): void {
		this.#places.add(nameOf(place));
	}
}

function nameOf({ packId, offsetBytes }: Place): string {
	return `${packId}/${offsetBytes}`;
}

/** What a mark says; undefined when it is gone. Throws `format_damaged`, `repository_unsupported`. */
export async function readBadPlace(store: Store, key: string, signal?: AbortSignal): Promise<BadPlace | undefined> {
	const bytes = await readObject(store, key, { signal });
	if (bytes === undefined) return undefined;
	const place = openSealedJson(type, badPlaceSchema, bytes, key);
	if (keys.badPlace(place.packId, place.offsetBytes) !== key)
		throw damagedObject(key, `is the mark of pack ${place.packId} at offset ${place.offsetBytes}`);
	return place;
}
