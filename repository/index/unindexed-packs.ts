import { isUnusable } from '../damage.ts';
import { indexPackBytes } from '../format/index-object.ts';
import { keys } from '../format/keys.ts';
import { readPackFooter } from '../pack-footers.ts';
import type { Store } from '../store/contract.ts';
import { IndexDraft, type IndexedPack } from './index-draft.ts';
import type { IndexSet } from './index-set.ts';
import type { PackIds } from './pack-ids.ts';

/** Numbers of the packs that no index tells of. */
export async function packsWithoutIndex(indexes: IndexSet, packs: PackIds, signal?: AbortSignal): Promise<number[]> {
	let without = await notInTables(indexes, packs, signal);
	if (without.length === 0) return without;
	// A listing may have missed what was made meanwhile.
	await indexes.refresh(signal);
	without = await notInTables(indexes, packs, signal);
	return without;
}

async function notInTables(indexes: IndexSet, packs: PackIds, signal: AbortSignal | undefined): Promise<number[]> {
	const told = new Uint8Array(packs.count);
	for (let live: IndexSet['live'] = []; live !== indexes.live; ) {
		live = indexes.live;
		for (const reader of live)
			try {
				for await (const piece of reader.packTable(signal))
					for (let at = 0; at < piece.length; at += indexPackBytes) {
						const number = packs.numberOf(piece, at);
						if (number !== undefined) told[number] = 1;
					}
			} catch (error) {
				await indexes.passBy(reader, error, signal);
			}
	}
	return [...told.keys()].filter(number => told[number] === 0);
}

export interface IndexingOptions {
	/** Told of packs whose footers are damaged; they stay without an index. */
	onUnreadable: (packId: string) => void;
	/** Indexes that the last one to be written stands for. */
	superseded: readonly string[];
	signal?: AbortSignal | undefined;
}

/** Writes indexes for these packs, from their footers. Returns how many: none when none could be read. */
export async function indexPacks(
	store: Store,
	packIds: readonly string[],
	{ onUnreadable, superseded, signal }: IndexingOptions,
): Promise<number> {
	// Whoever made them may have died before their names were durable, and an index must not outlast a pack.
	await store.settle(keys.packs, signal);
	let draft = new IndexDraft();
	let written = 0;
	for await (const pack of footersOfPacks(store, packIds, onUnreadable, signal)) {
		if (draft.isFull) {
			await draft.write(store, [], signal);
			written++;
			draft = new IndexDraft();
		}
		draft.add(pack);
	}
	if (draft.isEmpty) return written;
	await draft.write(store, superseded, signal);
	return written + 1;
}

/** A few at once; those that are gone are left out. */
async function* footersOfPacks(
	store: Store,
	packIds: readonly string[],
	onUnreadable: (packId: string) => void,
	signal: AbortSignal | undefined,
): AsyncGenerator<IndexedPack> {
	const read = async (packId: string): Promise<IndexedPack | undefined> => {
		try {
			const sizeBytes = await store.size(keys.pack(packId), signal);
			const footer = sizeBytes === undefined ? undefined : await readPackFooter(store, { packId, sizeBytes }, signal);
			return footer && sizeBytes !== undefined ? { footer, sizeBytes } : undefined;
		} catch (error) {
			if (!isUnusable(error)) throw error;
			onUnreadable(packId);
			return undefined;
		}
	};
	const { maxParallelReads } = store.properties;
	for (let first = 0; first < packIds.length; first += maxParallelReads)
		for (const pack of await Promise.all(packIds.slice(first, first + maxParallelReads).map(read)))
			if (pack !== undefined) yield pack;
}
