import { indexIdOfKey, keys } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';

/**
 * Looked at in one repository: merging leaves three of each size, a few dozens. Only where nothing may be deleted there
 * are more, one for each import; somebody who can write into the folder can fill it, and each that is opened takes memory.
 */
export const maxIndexes = 4096;

export interface ListedIndexes {
	/** By id, its bytes. */
	sizes: Map<string, number>;
	/** That are there and not among these: they count as not there. */
	leftOut: number;
}

/** The largest where there are too many: they tell of most. */
export async function listIndexes(store: Store, signal?: AbortSignal, max = maxIndexes): Promise<ListedIndexes> {
	let sizes = new Map<string, number>();
	let leftOut = 0;
	const cut = () => {
		leftOut += Math.max(0, sizes.size - max);
		sizes = new Map([...sizes].toSorted(([, a], [, b]) => b - a).slice(0, max));
	};
	for await (const { key, sizeBytes } of store.list(keys.indexes, signal)) {
		const indexId = indexIdOfKey(key);
		if (indexId === undefined) continue;
		sizes.set(indexId, sizeBytes);
		if (sizes.size === 2 * max) cut();
	}
	if (sizes.size > max) cut();
	return { sizes, leftOut };
}
