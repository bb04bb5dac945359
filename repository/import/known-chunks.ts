import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { PackFooter } from '../format/pack.ts';

const digestBytes = 32;
/** packNumber, offset, storedBytes. */
const placeWords = 3;

/**
 * The chunks that an import need not store again, by digest: a hash table in typed arrays, some 60 bytes for each,
 * where a Map of strings takes over 120 and ends at 16 million. Made anew from the packs' footers by each import, so a hit is
 * as good as what a footer says; there is no cache that could be wrong.
 */
export class KnownChunks {
	/** Entry number + 1 at the first free slot from its hash on; 0 is free. */
	#slots = new Uint32Array(1 << 16);
	#digests = Buffer.alloc(digestBytes * 1024);
	#places = new Uint32Array(placeWords * 1024);
	#count = 0;
	readonly #packIds: string[] = [];

	get count(): number {
		return this.#count;
	}

	addFooter({ packId, chunks }: PackFooter): void {
		const packNumber = this.addPack(packId);
		for (const { digest, offsetBytes, storedBytes } of chunks) {
			const bytes = Buffer.from(digest, 'hex');
			// The first place wins: pages then stay the same from one point to the next, and are shared.
			if (this.find(bytes) === undefined) this.setPlace(this.add(bytes), packNumber, offsetBytes, storedBytes);
		}
	}

	addPack(packId: string): number {
		return this.#packIds.push(packId) - 1;
	}

	/** Number of the entry with this digest of 32 bytes; all of them are compared. */
	find(digest: Buffer): number | undefined {
		const entry = this.#slots[this.#slotOf(digest)];
		return entry === undefined || entry === 0 ? undefined : entry - 1;
	}

	/** A new entry, without a place yet. The digest must not be known. */
	add(digest: Buffer): number {
		if ((this.#count + 1) * 2 > this.#slots.length) this.#growSlots();
		if ((this.#count + 1) * digestBytes > this.#digests.length) this.#growEntries();
		const entry = this.#count++;
		digest.copy(this.#digests, entry * digestBytes);
		this.#slots[this.#slotOf(digest)] = entry + 1;
		return entry;
	}

	setPlace(entry: number, packNumber: number, offsetBytes: number, storedBytes: number): void {
		this.#places.set([packNumber, offsetBytes, storedBytes], entry * placeWords);
	}

	ref(entry: number): ChunkRef {
		const [packNumber = 0, offsetBytes = 0, storedBytes = 0] = this.#places.subarray(
			entry * placeWords,
			(entry + 1) * placeWords,
		);
		const packId = this.#packIds[packNumber];
		if (packId === undefined || storedBytes === 0)
			throw new RouseError('internal', `known chunk ${entry} of ${this.#count} has no place yet`);
		const digest = this.#digests.toString('hex', entry * digestBytes, (entry + 1) * digestBytes);
		return { digest, packId, offsetBytes, storedBytes };
	}

	/** The slot that holds the digest, or the free one where it belongs. A digest is random: its first bytes are the hash. */
	#slotOf(digest: Buffer): number {
		const mask = this.#slots.length - 1;
		for (let slot = digest.readUInt32LE(0) & mask; ; slot = (slot + 1) & mask) {
			const entry = this.#slots[slot] ?? 0;
			if (entry === 0) return slot;
			const at = (entry - 1) * digestBytes;
			if (digest.compare(this.#digests, at, at + digestBytes) === 0) return slot;
		}
	}

	#growSlots(): void {
		this.#slots = new Uint32Array(this.#slots.length * 2);
		for (let entry = 0; entry < this.#count; entry++) {
			const at = entry * digestBytes;
			this.#slots[this.#slotOf(this.#digests.subarray(at, at + digestBytes))] = entry + 1;
		}
	}

	#growEntries(): void {
		const digests = Buffer.alloc(this.#digests.length * 2);
		this.#digests.copy(digests);
		this.#digests = digests;
		const places = new Uint32Array(this.#places.length * 2);
		places.set(this.#places);
		this.#places = places;
	}
}
