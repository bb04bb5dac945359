import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import type { Store } from '../store/contract.ts';
import type { IndexReader } from './index-reader.ts';
import type { IndexSet } from './index-set.ts';
import { InputFailure, type MergeInput, mergeRecords, mergeTables, numbersIn, ofInput } from './merge-records.ts';
import { writeIndex } from './write-index.ts';

/**
 * So many of about the same size are merged, and sizes are the same within a factor of so much. Each index costs a new chunk
 * a look into its filter, and one in some fifty of them a read; the merges cost a chunk that is stored a few microseconds in all.
 */
const mergeCount = 4;

export interface MergeOptions {
	/** A merge that would have more records is left for later. */
	maxRecords: number;
	signal?: AbortSignal | undefined;
}

/**
 * Merges indexes as long as there are four of about the same size (docs/format.md, "Merging"), and deletes those that others
 * stand for, whoever made these. Two at once, and an end between any two steps, leave at worst something to be deleted.
 * False: an index turned out to be damaged, and is among `indexes.damaged` now.
 */
export async function mergeIndexes(
	store: Store,
	indexes: IndexSet,
	{ maxRecords, signal }: MergeOptions,
): Promise<boolean> {
	await deleteLeftOver(store, indexes);
	for (;;) {
		const readers = choose(indexes.live, Math.min(maxRecords, limits.indexRecords));
		if (readers === undefined) return true;
		try {
			await mergeThese(store, readers, signal);
		} catch (error) {
			if (!(error instanceof InputFailure)) throw error;
			await indexes.passBy(error.reader, error.cause, signal);
			if (indexes.damaged.has(error.reader.indexId)) return false;
			continue; // somebody else has merged it
		}
		await indexes.refresh(signal);
		await deleteLeftOver(store, indexes);
	}
}

/** Those that are to become one, the smallest of their size. */
function choose(live: readonly IndexReader[], maxRecords: number): readonly IndexReader[] | undefined {
	const bySize = live.toSorted((a, b) => a.trailer.records - b.trailer.records);
	for (const inputs of Map.groupBy(bySize, sizeClass).values()) {
		const chosen = inputs.slice(0, mergeCount);
		const sum = (of: 'records' | 'packs') => chosen.reduce((total, { trailer }) => total + trailer[of], 0);
		if (chosen.length === mergeCount && sum('records') <= maxRecords && sum('packs') <= limits.indexPacks)
			return chosen;
	}
	return undefined;
}

/** The k of 4^k ≤ n < 4^(k+1). */
function sizeClass({ trailer: { records } }: IndexReader): number {
	let size = 0;
	for (let least = mergeCount; records >= least; least *= mergeCount) size++;
	return size;
}

async function mergeThese(
	store: Store,
	readers: readonly IndexReader[],
	signal: AbortSignal | undefined,
): Promise<void> {
	const tables: Buffer[] = [];
	for (const reader of readers) tables.push(await ofInput(reader, () => reader.verifiedPacks(signal)));
	const packs = mergeTables(tables);
	const inputs: MergeInput[] = [];
	for (const [number, reader] of readers.entries()) {
		const numbers = async () => numbersIn(packs, tables[number] ?? packs, reader.indexId);
		inputs.push({ reader, numbers: await ofInput(reader, numbers) });
	}
	tables.length = 0; // a table may be large
	const maxRecords = readers.reduce((total, { trailer }) => total + trailer.records, 0);
	const superseded = readers.map(({ indexId }) => indexId);
	await writeIndex(store, { packs, superseded, maxRecords, records: () => mergeRecords(inputs, signal) }, signal);
}

async function deleteLeftOver(store: Store, indexes: IndexSet): Promise<void> {
	for (const indexId of indexes.leftOver) await store.delete(keys.index(indexId));
}
