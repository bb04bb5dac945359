import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import type { Clock } from '../system/clock.ts';
import { isUnusable } from './damage.ts';
import type { ChunkKind } from './format/frame-table.ts';
import { keys, packIdOfKey } from './format/keys.ts';
import {
	footerBytesOf,
	footerOf,
	openPackEnd,
	type PackEntries,
	type PackFooter,
	packTrailerBytes,
	refOf,
} from './format/pack.ts';
import { IndexSet } from './index/index-set.ts';
import { readRange } from './read-object.ts';
import { SharedPasses, type Wanted } from './shared-passes.ts';
import type { Store } from './store/contract.ts';

/** What is read of a pack's end at first: footer and trailer of a pack of 1,817 chunks, so mostly all of it. */
const firstReadBytes = 64 * 1024;

interface PackSize {
	packId: string;
	/** Of the whole pack. */
	sizeBytes: number;
}

/** The footer of a pack, read and checked; undefined without such a pack. Throws `format_damaged`, `io_failed`. */
export async function readPackFooter(
	...[store, pack, signal]: Parameters<typeof readPackEntries>
): Promise<PackFooter | undefined> {
	const entries = await readPackEntries(store, pack, signal);
	return entries && footerOf(entries);
}

/** As {@link readPackFooter}, not taken apart. */
export async function readPackEntries(
	store: Store,
	pack: PackSize,
	signal?: AbortSignal,
): Promise<PackEntries | undefined> {
	try {
		return await readPackEnd(store, pack, firstReadBytes, signal);
	} catch (error) {
		if (!(error instanceof RouseError) || error.code !== 'io_failed') throw error;
		// What the medium has lost may be chunks before the footer: once more, and not a byte too many.
		return readPackEnd(store, pack, packTrailerBytes, signal);
	}
}

async function readPackEnd(
	store: Store,
	{ packId, sizeBytes: packBytes }: PackSize,
	guessBytes: number,
	signal: AbortSignal | undefined,
): Promise<PackEntries | undefined> {
	const key = keys.pack(packId);
	const firstBytes = Math.min(packBytes, guessBytes);
	const lastBytes = (lengthBytes: number) =>
		readRange(store, key, { offsetBytes: packBytes - lengthBytes, lengthBytes }, signal);
	const end = await lastBytes(firstBytes);
	if (end === undefined) return undefined;
	const endBytes = footerBytesOf(end.subarray(-packTrailerBytes), packId, packBytes) + packTrailerBytes;
	if (endBytes <= firstBytes) return openPackEnd(end.subarray(-endBytes), packId, packBytes);
	const whole = await lastBytes(endBytes);
	return whole && openPackEnd(whole, packId, packBytes);
}

/** A pack whose footer cannot be used: what lies in it can still be read by those who know the place. */
export interface UnreadablePack {
	packId: string;
	error: RouseError;
}

/**
 * The footers of all packs, a few read at once. A pack that is damaged is handed to `onUnreadable` and left out: other
 * packs are worth no less for it.
 */
export async function* allPackFooters(
	store: Store,
	onUnreadable: (pack: UnreadablePack) => void,
	signal?: AbortSignal,
): AsyncGenerator<PackFooter> {
	const reading: Promise<PackFooter | undefined>[] = [];
	const tolerant = async (pack: PackSize) => {
		try {
			return await readPackFooter(store, pack, signal);
		} catch (error) {
			if (!isUnusable(error)) throw error;
			onUnreadable({ packId: pack.packId, error });
			return undefined;
		}
	};
	try {
		for await (const { key, sizeBytes } of store.list(keys.packs, signal)) {
			const packId = packIdOfKey(key);
			if (packId === undefined) continue;
			const footer = tolerant({ packId, sizeBytes });
			footer.catch(() => {}); // looked at below, in its turn; it may fail before an earlier one is there
			reading.push(footer);
			if (reading.length < store.properties.maxParallelReads) continue;
			const first = await reading.shift();
			if (first) yield first;
		}
		while (reading.length > 0) {
			const footer = await reading.shift();
			if (footer) yield footer;
		}
	} finally {
		// Whoever breaks out early or throws must not leave a rejection that nobody looks at.
		await Promise.allSettled(reading);
	}
}

/** Chunks of the footers kept, about 50 MB: 128 packs of 2,000. A single footer is kept whatever its length. */
const maxKeptChunks = 256 * 1024;

/**
 * How long "no pack holds it" is believed: with a pack a thousand chunks are lost, and one after the other is asked for.
 * Short enough that nobody can put the chunk into another pack and see it denied.
 */
const absentMs = 2_000;

/** Finds chunks by digest when their places do not hold them. */
export class PackFooters {
	readonly #store: Store;
	readonly #clock: Pick<Clock, 'now'>;
	/** Read by ranges: a reader seldom needs it, and has no memory to spare. */
	readonly #indexes: IndexSet;
	/** By pack; least recently used first. */
	readonly #footers = new Map<string, Footer>();
	#keptChunks = 0;
	/** Looks into all footers. */
	readonly #passes: SharedPasses<Map<string, ChunkPlace[]>>;
	/** Digests that no pack held when all were asked: until when that is believed, the earliest first. */
	readonly #absentUntilMs = new Map<string, number>();

	constructor(store: Store, clock: Pick<Clock, 'now'>) {
		this.#store = store;
		this.#clock = clock;
		this.#indexes = new IndexSet(store, 0);
		this.#passes = new SharedPasses((wanted, signal) => this.#lookEverywhere(wanted, signal), {
			clock,
			joinMs: absentMs,
		});
	}

	/**
	 * Places of each digest. First the packs that the references name, then those in memory, then what the indexes know, and
	 * the footers of all of the store only while something is not found that was not looked for just now. With `everywhere`
	 * all of that is asked; with `indexed` the last only when no place is known but the references' own.
	 */
	async locate(
		refs: readonly ChunkRef[],
		{ everywhere, signal }: { everywhere: boolean | 'indexed'; signal?: AbortSignal | undefined },
	): Promise<Map<string, ChunkPlace[]>> {
		const found = new Map<string, ChunkPlace[]>(refs.map(({ digest }) => [digest, []]));
		const seen = new Set<string>();
		const look = async (packId: string) => {
			if (seen.has(packId)) return;
			seen.add(packId);
			const footer = await this.#footer(packId, signal);
			for (const [digest, places] of found) {
				const place = footer?.get(digest);
				if (place) places.push(place);
			}
		};
		const isKnown = (digest: string, places: readonly ChunkPlace[]) => places.length > 0 || this.#isAbsent(digest);
		const done = () => everywhere === false && [...found].every(([digest, places]) => isKnown(digest, places));
		const holdsWanted = (footer: Footer) => [...found].some(([digest]) => footer.has(digest));
		for (const packId of new Set(refs.map(ref => ref.packId))) await look(packId);
		const inMemory = Array.from(this.#footers); // looking at one changes their order
		for (const [packId, footer] of inMemory) if (!done() && holdsWanted(footer)) await look(packId);
		if (done()) return found;
		for (const packId of await this.#indexed(found, everywhere !== false, signal)) await look(packId);
		if (done() || (everywhere === 'indexed' && haveOthers(found, refs))) return found;
		const asked = new Map([...found].filter(([digest, places]) => everywhere !== false || !isKnown(digest, places)));
		const everyPlace = await this.#passes.find([...asked.keys()], everywhere !== false, signal);
		for (const [digest, places] of asked) addPlaces(places, everyPlace.get(digest) ?? []);
		this.#noteAbsent(asked);
		return found;
	}

	/** The footers of all packs, until there is a place of each of which one is enough. */
	async #lookEverywhere(wanted: Wanted, signal: AbortSignal): Promise<Map<string, ChunkPlace[]>> {
		const found = new Map<string, ChunkPlace[]>([...wanted.keys()].map(digest => [digest, []]));
		const isDone = () => [...found].every(([digest, places]) => wanted.get(digest) === false && places.length > 0);
		for await (const key of this.#store.listKeys(keys.packs, signal)) {
			const packId = packIdOfKey(key);
			const footer = packId === undefined ? undefined : await this.#footer(packId, signal);
			for (const [digest, places] of found) {
				const place = footer?.get(digest);
				if (place) places.push(place);
			}
			if (isDone()) break;
		}
		return found;
	}

	/** Packs in which the digests are, as indexes say; without `all` those of which there is no place yet. */
	async #indexed(
		found: ReadonlyMap<string, readonly ChunkPlace[]>,
		all: boolean,
		signal: AbortSignal | undefined,
	): Promise<Set<string>> {
		const packIds = new Set<string>();
		try {
			await this.#indexes.refresh(signal);
		} catch (error) {
			// Where they lie is no folder: all footers can be asked.
			if (!isUnusable(error)) throw error;
			return packIds;
		}
		for (const [digest, places] of found) {
			if (!all && places.length > 0) continue;
			for await (const { packId } of this.#indexes.find(Buffer.from(digest, 'hex'), signal)) packIds.add(packId);
		}
		return packIds;
	}

	#isAbsent(digest: string): boolean {
		return this.#clock.now() < (this.#absentUntilMs.get(digest) ?? 0);
	}

	/** All packs were asked for these. */
	#noteAbsent(found: ReadonlyMap<string, readonly ChunkPlace[]>): void {
		const now = this.#clock.now();
		for (const [digest, untilMs] of this.#absentUntilMs) {
			if (now < untilMs) break;
			this.#absentUntilMs.delete(digest);
		}
		for (const [digest, places] of found) {
			this.#absentUntilMs.delete(digest);
			if (places.length === 0) this.#absentUntilMs.set(digest, now + absentMs);
		}
	}

	/** Undefined when the pack is not there (any more), or its footer cannot be used: another pack may have the chunk. */
	async #footer(packId: string, signal: AbortSignal | undefined): Promise<Footer | undefined> {
		const known = this.#footers.get(packId);
		this.#forget(packId);
		try {
			const sizeBytes = await this.#store.size(keys.pack(packId), signal);
			if (sizeBytes === undefined) return undefined;
			const footer = known ?? placesOf(await readPackFooter(this.#store, { packId, sizeBytes }, signal));
			if (footer) this.#keep(packId, footer);
			return footer;
		} catch (error) {
			if (isUnusable(error)) return undefined;
			throw error;
		}
	}

	#keep(packId: string, footer: Footer): void {
		this.#forget(packId); // two may have read it at once
		this.#footers.set(packId, footer);
		this.#keptChunks += footer.size;
		for (const oldest of this.#footers.keys()) {
			if (this.#keptChunks <= maxKeptChunks || oldest === packId) break;
			this.#forget(oldest);
		}
	}

	#forget(packId: string): void {
		this.#keptChunks -= this.#footers.get(packId)?.size ?? 0;
		this.#footers.delete(packId);
	}
}

export interface ChunkPlace {
	ref: ChunkRef;
	kind: ChunkKind;
}

/** Those that are not there yet. */
function addPlaces(places: ChunkPlace[], more: readonly ChunkPlace[]): void {
	const known = new Set(places.map(({ ref }) => placeText(ref)));
	places.push(...more.filter(({ ref }) => !known.has(placeText(ref))));
}

/** Whether each digest has a place that no reference names. */
function haveOthers(found: ReadonlyMap<string, readonly ChunkPlace[]>, refs: readonly ChunkRef[]): boolean {
	const named = new Set(refs.map(placeText));
	return [...found.values()].every(places => places.some(({ ref }) => !named.has(placeText(ref))));
}

function placeText({ digest, packId, offsetBytes, storedBytes }: ChunkRef): string {
	return `${digest} ${packId} ${offsetBytes} ${storedBytes}`;
}

/** Places of the chunks of one pack, by digest. */
type Footer = Map<string, ChunkPlace>;

function placesOf(footer: PackFooter | undefined): Footer | undefined {
	if (footer === undefined) return undefined;
	const { packId, kind, chunks } = footer;
	return new Map(chunks.map(chunk => [chunk.digest, { ref: refOf(packId, chunk), kind }]));
}
