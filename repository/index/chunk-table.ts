import { randomInt } from 'node:crypto';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { digestBytes } from '../format/digest.ts';

/** packNumber, offset, storedBytes. */
const placeWords = 3;
/** Of one digest. */
const maxPlaces = 8;

/**
 * Whoever chooses a guest's data can choose digests that begin alike: by numbers of this process alone nobody knows which of
 * them meet in a table.
 */
const multipliers = [randomInt(2 ** 31) * 2 + 1, randomInt(2 ** 31) * 2 + 1] as const;

/**
 * References by digest: a hash table in typed arrays, some 60 bytes for each, where a Map of strings takes over 120 and ends
 * at 16 million.
 */
export class ChunkTable {
	/** Entry number + 1 at the first free slot from its hash on; 0 is free. */
	#slots = new Uint32Array(1 << 10);
	#digests = Buffer.alloc(digestBytes * 256);
	#places = new Uint32Array(placeWords * 256);
	#count = 0;
	readonly #packIds: string[] = [];

	get count(): number {
		return this.#count;
	}

	/** The first reference with this digest of 32 bytes, all of which are compared, that is `accepted`. */
	find(digest: Buffer, accepted: (ref: ChunkRef) => boolean = () => true): ChunkRef | undefined {
		const mask = this.#slots.length - 1;
		for (let slot = this.#firstSlot(digest, 0); ; slot = (slot + 1) & mask) {
			const entry = (this.#slots[slot] ?? 0) - 1;
			if (entry < 0) return undefined;
			if (!this.#hasDigest(entry, digest, 0)) continue;
			const ref = this.#ref(entry);
			if (accepted(ref)) return ref;
		}
	}

	/**
	 * The digest is the 32 bytes at `digestAt`. It may have several places, but not too many: whoever writes a footer can write
	 * one digest into it a thousand times.
	 */
	add(digest: Buffer, { packId, offsetBytes, storedBytes }: Omit<ChunkRef, 'digest'>, digestAt = 0): void {
		if ((this.#count + 1) * 2 > this.#slots.length) this.#growSlots();
		if ((this.#count + 1) * digestBytes > this.#digests.length) this.#growEntries();
		const mask = this.#slots.length - 1;
		let slot = this.#firstSlot(digest, digestAt);
		for (let places = 0; this.#slots[slot] !== 0; slot = (slot + 1) & mask)
			if (this.#hasDigest((this.#slots[slot] ?? 0) - 1, digest, digestAt) && ++places === maxPlaces) return;
		const entry = this.#count++;
		digest.copy(this.#digests, entry * digestBytes, digestAt, digestAt + digestBytes);
		const at = entry * placeWords;
		this.#places[at] = this.#packNumber(packId);
		this.#places[at + 1] = offsetBytes;
		this.#places[at + 2] = storedBytes;
		this.#slots[slot] = entry + 1;
	}

	#packNumber(packId: string): number {
		const last = this.#packIds.length - 1; // chunks come pack by pack
		return this.#packIds[last] === packId ? last : this.#packIds.push(packId) - 1;
	}

	#ref(entry: number): ChunkRef {
		const at = entry * placeWords;
		const packId = this.#packIds[this.#places[at] ?? 0];
		const offsetBytes = this.#places[at + 1] ?? 0;
		const storedBytes = this.#places[at + 2] ?? 0;
		if (packId === undefined) throw new RouseError('internal', `entry ${entry} of ${this.#count} has no pack`);
		const digest = this.#digests.toString('hex', entry * digestBytes, (entry + 1) * digestBytes);
		return { digest, packId, offsetBytes, storedBytes };
	}

	#hasDigest(entry: number, digest: Buffer, digestAt: number): boolean {
		const at = entry * digestBytes;
		// Decides nearly always, and is far faster than a call of compare.
		if (this.#digests.readUInt32LE(at) !== digest.readUInt32LE(digestAt)) return false;
		return digest.compare(this.#digests, at, at + digestBytes, digestAt, digestAt + digestBytes) === 0;
	}

	/** The highest bits of a sum of products: those depend on all bits of both words. */
	#firstSlot(digest: Buffer, at: number): number {
		const [first, second] = multipliers;
		const sum = Math.imul(digest.readUInt32LE(at), first) + Math.imul(digest.readUInt32LE(at + 4), second);
		return sum >>> (Math.clz32(this.#slots.length) + 1);
	}

	#growSlots(): void {
		this.#slots = new Uint32Array(this.#slots.length * 2);
		const mask = this.#slots.length - 1;
		for (let entry = 0; entry < this.#count; entry++) {
			let slot = this.#firstSlot(this.#digests, entry * digestBytes);
			while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
			this.#slots[slot] = entry + 1;
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
