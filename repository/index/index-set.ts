import { RouseError } from '../../model/errors.ts';
import { isUnusable } from '../damage.ts';
import { damagedIndex, filterBitsOf } from '../format/index-object.ts';
import type { Store } from '../store/contract.ts';
import { type IndexedPlace, IndexGone, IndexReader } from './index-reader.ts';
import { listIndexes } from './list-indexes.ts';

/** Of all indexes together: for some four million chunks. */
const maxPrintsBytes = 8 * 1024 * 1024;
/** Reading so many records costs what one search does that finds nothing. */
const recordsOfASearch = 1000;

/** Of all indexes together; a merge stands for four, and these are deleted. */
const maxSuperseded = 65_536;

interface Opened {
	reader: IndexReader;
	/** Of the indexes that it stands for those that were there. */
	superseded: ReadonlySet<string>;
}

/**
 * The indexes of a repository: those that no other one that is there stands for. One that is damaged is passed by and
 * named; when one is gone that should be read, they are listed again. MAY be used concurrently.
 */
export class IndexSet {
	readonly #store: Store;
	readonly #tablesBytes: number;
	#opened = new Map<string, Opened>();
	#live: readonly IndexReader[] = [];
	#damaged = new Map<string, RouseError>();
	#leftOver: readonly string[] = [];
	#surplus = 0;
	#refreshing: Promise<void> | undefined;
	readonly #readingPrints = new Set<IndexReader>();

	/** `tablesBytes`: what the tables of all of them may take in memory; of the others they are read when they are needed. */
	constructor(store: Store, tablesBytes: number) {
		this.#store = store;
		this.#tablesBytes = tablesBytes;
	}

	/** Changes by being replaced: who has it may compare. */
	get live(): readonly IndexReader[] {
		return this.#live;
	}

	/** By id, what is wrong with it. What it told of may be in no other one. */
	get damaged(): ReadonlyMap<string, RouseError> {
		return this.#damaged;
	}

	/** Superseded by one that is there, and not deleted yet. */
	get leftOver(): readonly string[] {
		return this.#leftOver;
	}

	/** So many more there are, and nothing is asked of them. */
	get surplus(): number {
		return this.#surplus;
	}

	/** Lists them, and opens those that are new. */
	async refresh(signal?: AbortSignal): Promise<void> {
		// Who comes while another one lists must not rely on what that had listed before.
		while (this.#refreshing !== undefined) await this.#refreshing.catch(() => {});
		this.#refreshing = this.#listUntilAllAreThere(signal);
		try {
			await this.#refreshing;
		} finally {
			this.#refreshing = undefined;
		}
	}

	/** All places that indexes know of a digest. */
	async *find(digest: Buffer, signal?: AbortSignal): AsyncGenerator<IndexedPlace> {
		const asked = new Set<IndexReader>();
		const filterBits = filterBitsOf(digest, 0);
		for (let live: readonly IndexReader[] = []; live !== this.#live; ) {
			live = this.#live;
			for (const reader of live) {
				if (!reader.mayHave(digest, filterBits) || asked.has(reader)) continue;
				asked.add(reader);
				let hasIt = false;
				try {
					for await (const place of reader.find(digest, signal)) {
						hasIt = true;
						yield place;
					}
					if (!hasIt) await this.#noteVain(reader, signal);
				} catch (error) {
					await this.passBy(reader, error, signal);
				}
			}
		}
	}

	/** False: none of them has the digest, as far as can be said without reading anything. */
	mayHave(digest: Buffer): boolean {
		const filterBits = filterBitsOf(digest, 0);
		return this.#live.some(reader => reader.mayHave(digest, filterBits));
	}

	/** When an index was searched in vain as often as it would have cost to read it, it is read. */
	async #noteVain(reader: IndexReader, signal: AbortSignal | undefined): Promise<void> {
		reader.vainSearches++;
		if (!reader.keepsTables || reader.keepsPrints || this.#readingPrints.has(reader)) return;
		if (reader.vainSearches * recordsOfASearch < reader.trailer.records) return;
		const kept = this.#live.filter(other => other.keepsPrints || this.#readingPrints.has(other));
		const bytes = kept.reduce((total, { printsBytes }) => total + printsBytes, reader.printsBytes);
		if (bytes > maxPrintsBytes) return;
		this.#readingPrints.add(reader);
		try {
			await reader.keepPrints(signal);
		} finally {
			this.#readingPrints.delete(reader);
		}
	}

	/**
	 * After an index has failed: leaves it out from now on, and lists them again when it is gone. Throws on what is neither
	 * its absence nor its damage.
	 */
	async passBy(reader: IndexReader, error: unknown, signal?: AbortSignal): Promise<void> {
		if (!(error instanceof IndexGone)) {
			const isFirst = this.#opened.has(reader.indexId);
			this.#noteDamage(reader, error);
			// Those that it stood for count again.
			if (isFirst && this.#leftOver.length > 0) await this.refresh(signal);
			return;
		}
		// Many may find it gone at once: one of them lists.
		while (this.#opened.get(reader.indexId)?.reader === reader) {
			if (this.#refreshing === undefined) {
				this.#opened.delete(reader.indexId);
				return this.refresh(signal);
			}
			await this.#refreshing.catch(() => {});
		}
	}

	#noteDamage({ indexId }: IndexReader, error: unknown): void {
		if (!isUnusable(error)) throw error;
		this.#damaged.set(indexId, error);
		this.#opened.delete(indexId);
		this.#live = this.#live.filter(reader => reader.indexId !== indexId);
	}

	/**
	 * What is gone when it is to be read was replaced by another one, which this listing may have missed; those that a damaged
	 * one stood for count again.
	 */
	async #listUntilAllAreThere(signal: AbortSignal | undefined): Promise<void> {
		const gone = new Set<string>();
		for (let before = -1, isWhole = false; gone.size > before || !isWhole; ) {
			before = gone.size;
			await this.#list(gone, signal);
			isWhole = await this.#keepTables(gone, signal);
		}
	}

	/** Adds to `gone` what was listed and is not there. */
	async #list(gone: Set<string>, signal: AbortSignal | undefined): Promise<void> {
		const { sizes: listed, leftOut } = await listIndexes(this.#store, signal);
		const opened = new Map<string, Opened>();
		const damaged = new Map<string, RouseError>();
		let supersededCount = 0;
		for (const [indexId, sizeBytes] of listed) {
			const found =
				this.#opened.get(indexId) ??
				this.#damaged.get(indexId) ??
				(await this.#open({ indexId, sizeBytes }, listed, signal));
			if (found === undefined) gone.add(indexId);
			else if (found instanceof RouseError) damaged.set(indexId, found);
			else if ((supersededCount += found.superseded.size) > maxSuperseded)
				damaged.set(
					indexId,
					damagedIndex(indexId, `with others it stands for more than ${maxSuperseded} that are there`),
				);
			else opened.set(indexId, found);
		}
		// Found by whoever read it while this was listing.
		for (const [indexId, error] of this.#damaged) if (opened.delete(indexId)) damaged.set(indexId, error);
		const superseded = supersededIn(opened);
		this.#leftOver = [...superseded].filter(indexId => listed.has(indexId));
		for (const indexId of superseded) {
			damaged.delete(indexId);
			opened.get(indexId)?.reader.dropTables();
		}
		this.#surplus = leftOut;
		this.#opened = opened;
		this.#damaged = damaged;
		this.#live = [...opened.values()].map(({ reader }) => reader).filter(({ indexId }) => !superseded.has(indexId));
	}

	/** Undefined when it is gone meanwhile. */
	async #open(
		index: { indexId: string; sizeBytes: number },
		listed: ReadonlyMap<string, number>,
		signal: AbortSignal | undefined,
	): Promise<Opened | RouseError | undefined> {
		try {
			const reader = await IndexReader.open(this.#store, index, signal);
			const superseded = (await reader.superseded(signal)).filter(other => listed.has(other));
			return { reader, superseded: new Set(superseded) };
		} catch (error) {
			if (error instanceof IndexGone) return undefined;
			if (!isUnusable(error)) throw error;
			return error;
		}
	}

	/** The smallest first: each that is not in memory costs a read for each chunk that is new. False: one was damaged. */
	async #keepTables(gone: Set<string>, signal: AbortSignal | undefined): Promise<boolean> {
		let isWhole = true;
		let leftBytes = this.#tablesBytes;
		for (const reader of this.#live.toSorted((a, b) => a.tablesBytes - b.tablesBytes)) {
			leftBytes -= reader.tablesBytes;
			if (leftBytes < 0) reader.dropTables();
			else if (!reader.keepsTables)
				try {
					await reader.keepTables(signal);
				} catch (error) {
					if (error instanceof IndexGone) gone.add(reader.indexId);
					else {
						this.#noteDamage(reader, error);
						isWhole = false;
					}
				}
		}
		return isWhole;
	}
}

/** Two that stand for each other both count. */
function supersededIn(opened: ReadonlyMap<string, Opened>): Set<string> {
	const superseded = new Set<string>();
	for (const { reader, superseded: ids } of opened.values())
		for (const indexId of ids) {
			const isItselfThatOnes = opened.get(indexId)?.superseded.has(reader.indexId) === true;
			if (!isItselfThatOnes) superseded.add(indexId);
		}
	return superseded;
}
