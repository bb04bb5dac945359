import { mayWrite } from '../features.ts';
import { decodeFence, encodeFence, isFence } from '../format/fence.ts';
import { keys } from '../format/keys.ts';
import { limits } from '../format/limits.ts';
import { decodeManifest } from '../format/manifest.ts';
import { expectAt } from '../points.ts';
import { readObject } from '../read-object.ts';
import type { Repository } from '../repository.ts';
import { pointExists } from './import-request.ts';

/** The import whose end is to be settled. */
export interface FencedImport {
	machine: string;
	/** Full time of its point. */
	time: string;
	importId: string;
}

/**
 * Takes the key of an import's point, so that no attempt of it can publish any more, also none that nobody knows of. `published`:
 * one has, durably, and nothing was done. Only after `fenced` may {@link removeImport} and whatever else gives it up. May be
 * called again. Throws `point_exists` when the key is another import's, `format_damaged` for what cannot be read there, and
 * what the store throws.
 */
export async function fenceImport(
	repository: Repository,
	{ machine, time, importId }: FencedImport,
	signal?: AbortSignal,
): Promise<'fenced' | 'published'> {
	const { store, id: repositoryId } = repository;
	const key = keys.point(machine, time);
	const fence = encodeFence({ repositoryId, machine, time, importId });
	await mayWrite(store, signal);
	for (;;) {
		if (await store.putExclusive(key, fence, signal)) return 'fenced';
		const bytes = await readObject(store, key, { maxBytes: limits.manifestBytes, signal });
		if (bytes === undefined) continue; // it was removed between the two
		const isFenced = isFence(bytes, key);
		const found = isFenced ? decodeFence(bytes, key) : decodeManifest(bytes, key);
		expectAt(repository, { machine, time }, found);
		if (found.importId !== importId) throw pointExists(machine, time);
		// Whoever put it there may not have come to this yet.
		await store.settle(keys.pointsOf(machine), signal);
		return isFenced ? 'fenced' : 'published';
	}
}
