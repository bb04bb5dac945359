import { limits } from '../format/limits.ts';
import type { Store } from '../store/contract.ts';
import { IndexDraft, type IndexedPack } from './index-draft.ts';
import { footersOf, IndexedChunks, type ReadFooter } from './indexed-chunks.ts';
import { IndexSet } from './index-set.ts';
import { mergeIndexes } from './merge-indexes.ts';
import { PackIds } from './pack-ids.ts';
import { indexPacks, packsWithoutIndex } from './unindexed-packs.ts';

/** Tables of all indexes in memory: filters of 64 MiB, for some 50 million chunks, with buckets and packs. */
const defaultTablesBytes = 72 * 1024 * 1024;

/** A merge of more than this would keep an import waiting for more than a few seconds: a record takes about a microsecond. */
const smallMergeRecords = 4 * 1024 * 1024;

export interface ImportIndexOptions {
	/** False when a feature forbids to delete: then nothing is merged either. */
	mayDelete: boolean;
	signal?: AbortSignal | undefined;
	tablesBytes?: number;
	readFooter?: ReadFooter;
}

/** The index of a repository as an import sees it: chunks that are known, and indexes for what it stores. */
export class ImportIndex {
	readonly #store: Store;
	readonly #options: ImportIndexOptions;
	readonly #indexes: IndexSet;
	readonly #damaged = new Set<string>();
	readonly #unreadable = new Set<string>();
	/** Damaged indexes of whose packs others tell by now. */
	#replaced: readonly string[] = [];
	#writing: Promise<void> = Promise.resolve();
	/** The packs that there were at the beginning. */
	readonly packs: PackIds;
	readonly indexed: IndexedChunks;

	private constructor(store: Store, indexes: IndexSet, packs: PackIds, options: ImportIndexOptions) {
		this.#store = store;
		this.#options = options;
		this.#indexes = indexes;
		this.packs = packs;
		this.indexed = new IndexedChunks(indexes, options.readFooter ?? footersOf(store));
	}

	/** When the intent is durable. Makes indexes for packs that have none. */
	static async begin(store: Store, options: ImportIndexOptions): Promise<ImportIndex> {
		const { signal, tablesBytes = defaultTablesBytes } = options;
		const indexes = new IndexSet(store, tablesBytes);
		await indexes.refresh(signal);
		const packs = await PackIds.list(store, signal);
		const index = new ImportIndex(store, indexes, packs, options);
		if (await index.#indexMissing(packs)) await index.#merge(smallMergeRecords);
		return index;
	}

	/** Packs whose footers are damaged: nothing in them is known. */
	get unreadablePacks(): string[] {
		return [...new Set([...this.#unreadable, ...this.indexed.unreadablePacks])].toSorted();
	}

	/** Indexes that were damaged; others are made, or will be, in their place. */
	get damagedIndexes(): string[] {
		return [...new Set([...this.#damaged, ...this.#indexes.damaged.keys()])].toSorted();
	}

	/** Indexes that are too many to be asked. */
	get surplusIndexes(): number {
		return this.#indexes.surplus;
	}

	/** Makes packs findable that are in the store. Returns when the indexes are; may be called while it runs. */
	write(packs: readonly IndexedPack[]): Promise<void> {
		const written = this.#writing.then(() => this.#write(packs));
		this.#writing = written.catch(() => {}); // told to whoever waits for it
		return written;
	}

	/** After the manifest: the merges that an import does not wait for. */
	async mergeLarge(): Promise<void> {
		await this.#merge(limits.indexRecords);
	}

	async #write(packs: readonly IndexedPack[]): Promise<void> {
		const { signal } = this.#options;
		await this.#heal();
		let draft = new IndexDraft();
		for (const pack of packs) {
			if (draft.isFull) {
				await this.#writeDraft(draft);
				draft = new IndexDraft();
			}
			draft.add(pack);
		}
		if (!draft.isEmpty) await this.#writeDraft(draft);
		await this.#indexes.refresh(signal);
		await this.#merge(smallMergeRecords);
	}

	async #writeDraft(draft: IndexDraft): Promise<void> {
		await draft.write(this.#store, this.#replaced, this.#options.signal);
		this.#replaced = [];
	}

	/** After damage was met. */
	async #heal(): Promise<void> {
		const isNew = [...this.#indexes.damaged.keys()].some(indexId => !this.#damaged.has(indexId));
		if (isNew) await this.#indexMissing(await PackIds.list(this.#store, this.#options.signal));
	}

	/** Makes indexes for the packs that are in none. Whether it made one. */
	async #indexMissing(packs: PackIds): Promise<boolean> {
		const { signal } = this.#options;
		const without = await packsWithoutIndex(this.#indexes, packs, signal);
		const damaged = [...this.#indexes.damaged.keys()];
		for (const indexId of damaged) this.#damaged.add(indexId);
		this.#replaced = damaged.slice(0, limits.indexSuperseded);
		if (without.length === 0) return false;
		const written = await indexPacks(
			this.#store,
			without.map(number => packs.idAt(number)),
			{ onUnreadable: packId => this.#unreadable.add(packId), superseded: this.#replaced, signal },
		);
		if (written === 0) return false;
		this.#replaced = [];
		await this.#indexes.refresh(signal);
		return true;
	}

	async #merge(maxRecords: number): Promise<void> {
		const { mayDelete, signal } = this.#options;
		if (!mayDelete) return;
		while (!(await mergeIndexes(this.#store, this.#indexes, { maxRecords, signal }))) await this.#heal();
	}
}
