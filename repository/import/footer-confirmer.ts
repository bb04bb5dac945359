import type { BadPlaces } from '../bad-places.ts';
import { digestBytes } from '../format/digest.ts';
import { type PackEntries, packEntryBytes } from '../format/pack.ts';
import { chunkRefBytes, decodeChunkRef, isZeroRef } from '../format/reference.ts';

/** Chunks of the footers kept, some 10 MB; a single one is kept whatever its length. */
const maxKeptChunks = 262_144;

const packIdAt = digestBytes;
const packIdBytes = 16;
const offsetAt = packIdAt + packIdBytes;
const storedAt = offsetAt + 4;

/** A footer's entries, and where the chunk of each begins. */
interface Footer {
	entries: Buffer;
	offsets: Uint32Array;
}

/**
 * Which entries of a page may be relied on: those whose packs' footers say the same, and whose places nobody has found bad. For whole
 * pages: each footer is asked for once, however the entries of packs of many days alternate.
 */
export class FooterConfirmer {
	readonly #footerOf: (packId: string) => Promise<PackEntries | undefined>;
	readonly #bad: BadPlaces;
	/** Least recently used first; undefined: the pack does not help. */
	readonly #kept = new Map<string, Footer | undefined>();
	#keptChunks = 0;

	constructor(footerOf: (packId: string) => Promise<PackEntries | undefined>, bad: BadPlaces) {
		this.#footerOf = footerOf;
		this.#bad = bad;
	}

	/** Of the entries from `from` to `to` of a page those that may not be relied on, in order. Zero entries always may. */
	async unusableIn(page: Buffer, from: number, to: number): Promise<number[]> {
		const unusable: number[] = [];
		for (const [packId, entries] of entriesByPack(page, from, to)) {
			const footer = await this.#footer(packId);
			let guess = 0;
			for (const entry of entries) {
				const at = entry * chunkRefBytes;
				const position = footer === undefined ? -1 : positionOf(footer, page.readUInt32LE(at + offsetAt), guess);
				guess = position + 1;
				if (footer === undefined || !isSame(footer, position, page, at) || this.#isBad(page, at)) unusable.push(entry);
			}
		}
		return unusable.toSorted((a, b) => a - b);
	}

	#isBad(page: Buffer, at: number): boolean {
		if (this.#bad.count === 0) return false;
		const ref = decodeChunkRef(page, at);
		return ref !== 'zero' && this.#bad.has(ref);
	}

	async #footer(packId: string): Promise<Footer | undefined> {
		const footer = this.#kept.has(packId) ? this.#kept.get(packId) : opened(await this.#footerOf(packId));
		this.#forget(packId);
		this.#kept.set(packId, footer);
		this.#keptChunks += costOf(footer);
		for (const oldest of this.#kept.keys()) {
			if (this.#keptChunks <= maxKeptChunks || oldest === packId) break;
			this.#forget(oldest);
		}
		return footer;
	}

	#forget(packId: string): void {
		if (!this.#kept.has(packId)) return;
		this.#keptChunks -= costOf(this.#kept.get(packId));
		this.#kept.delete(packId);
	}
}

/** Those that are not zero, in ascending order. */
function entriesByPack(page: Buffer, from: number, to: number): Map<string, number[]> {
	const byPack = new Map<string, number[]>();
	let entries: number[] = [];
	/** Where its pack's id stands in the page: mostly the next entry's is the same. */
	let idAt = -1;
	for (let entry = from; entry < to; entry++) {
		const at = entry * chunkRefBytes;
		if (isZeroRef(page, at)) continue;
		const ownIdAt = at + packIdAt;
		if (idAt < 0 || page.compare(page, idAt, idAt + packIdBytes, ownIdAt, ownIdAt + packIdBytes) !== 0) {
			const packId = page.toString('hex', ownIdAt, ownIdAt + packIdBytes);
			entries = byPack.get(packId) ?? [];
			byPack.set(packId, entries);
		}
		idAt = ownIdAt;
		entries.push(entry);
	}
	return byPack;
}

/** In chunks. With what each pack takes, also one that does not help: there may be many with few chunks, or none. */
function costOf(footer: Footer | undefined): number {
	return 8 + (footer?.offsets.length ?? 0);
}

function opened(footer: PackEntries | undefined): Footer | undefined {
	if (footer === undefined) return undefined;
	const offsets = new Uint32Array(footer.count);
	let offsetBytes = 0;
	for (let chunk = 0; chunk < footer.count; chunk++) {
		offsets[chunk] = offsetBytes;
		offsetBytes += footer.entries.readUInt32LE(chunk * packEntryBytes + digestBytes);
	}
	// Bytes of their own: what was read of the pack's end is 64 KiB also when the footer is of one chunk.
	return { entries: Buffer.from(footer.entries), offsets };
}

/** The chunk that begins at an offset, or -1: the one that is guessed, else by halving. */
function positionOf({ offsets }: Footer, offsetBytes: number, guess: number): number {
	if (offsets[guess] === offsetBytes) return guess;
	let [low, high] = [0, offsets.length];
	while (low < high) {
		const middle = (low + high) >>> 1;
		if ((offsets[middle] ?? 0) < offsetBytes) low = middle + 1;
		else high = middle;
	}
	return offsets[low] === offsetBytes ? low : -1;
}

function isSame({ entries }: Footer, position: number, page: Buffer, at: number): boolean {
	if (position < 0) return false;
	const entryAt = position * packEntryBytes;
	return (
		entries.readUInt32LE(entryAt + digestBytes) === page.readUInt32LE(at + storedAt) &&
		entries.compare(page, at, at + digestBytes, entryAt, entryAt + digestBytes) === 0
	);
}
