import { mayDelete } from '../features.ts';
import { journalOfKey, keys } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';

/**
 * Removes what an import has announced and told, the journal before the intent. Only for one that can publish no more: its point's
 * key is taken, or its moment is null and it has ended (docs/format.md, "An import").
 */
export async function removeImport(store: Store, importId: string): Promise<void> {
	await removeJournal(store, importId);
	await store.delete(keys.intent(importId));
}

/** Removes journals without an intent: their removal was cut off. `repository_unsupported` where others' may not be deleted. */
export async function removeLeftJournals(store: Store, signal?: AbortSignal): Promise<void> {
	const left = new Set<string>();
	for await (const { key } of store.list(keys.journals, signal)) {
		const importId = journalOfKey(key)?.importId;
		if (importId !== undefined) left.add(importId);
	}
	if (left.size === 0) return;
	// Afterwards: whoever begins a journal has its intent before.
	for await (const { key } of store.list(keys.intents, signal)) left.delete(key.slice(keys.intents.length));
	if (left.size > 0) await mayDelete(store, signal);
	for (const importId of left) await removeJournal(store, importId);
}

async function removeJournal(store: Store, importId: string): Promise<void> {
	const objects: string[] = [];
	for await (const { key } of store.list(keys.journalOf(importId))) objects.push(key);
	// From the last on: what is left of one that is cut off is a journal still.
	for (const key of objects.toReversed()) await store.delete(key);
	await store.forget?.(keys.journalOf(importId));
}
