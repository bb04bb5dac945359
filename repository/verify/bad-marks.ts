import type { ChunkRef } from '../../model/chunk.ts';
import { readBadPlace } from '../bad-places.ts';
import { badPlaceOfKey, keys } from '../format/keys.ts';
import { refOf } from '../format/pack.ts';
import { lookAtPlace } from '../look-at-place.ts';
import { readPackFooter } from '../pack-footers.ts';
import { unlessUnreadable } from './small-objects.ts';
import type { Verification } from './verification.ts';

/** Proves every mark again; with `clear` those go whose place is right, or whose pack is gone. The number of these. */
export async function verifyBadMarks(work: Verification): Promise<number> {
	const { repository, findings, bad, clear, signal } = work;
	let cleared = 0;
	for await (const { key } of repository.store.list(keys.badPlaces, signal)) {
		const place = badPlaceOfKey(key);
		if (place === undefined) continue;
		const why = await whyStale(work, key, place);
		if (why === undefined)
			findings.notice(
				key,
				'bad_place',
				'the place is bad: readers and imports pass it by',
				'nothing; what was lost by it is told elsewhere here',
			);
		else if (clear) {
			await bad.clear(place);
			cleared++;
		} else findings.notice(key, 'mark_stale', why, 'rouse repo verify --clear takes the mark away');
	}
	return cleared;
}

/** Undefined: the place is as bad as the mark says, or nobody can tell. */
async function whyStale(
	{ repository: { store }, findings, signal }: Verification,
	key: string,
	place: { packId: string; offsetBytes: number },
): Promise<string | undefined> {
	let ref: ChunkRef | undefined;
	try {
		ref = await readBadPlace(store, key, signal);
		if (ref === undefined) return undefined; // taken away meanwhile
	} catch (error) {
		findings.error(key, unlessUnreadable(error), 'remove it: a place that is bad is found again by who reads it');
	}
	try {
		const sizeBytes = await store.size(keys.pack(place.packId), signal);
		if (sizeBytes === undefined) return 'its pack is gone';
		const footer = await readPackFooter(store, { packId: place.packId, sizeBytes }, signal);
		const named = footer?.chunks.find(({ offsetBytes }) => offsetBytes === place.offsetBytes);
		if (footer && named) {
			const { found } = await lookAtPlace(store, refOf(place.packId, named), footer.kind, signal);
			return found === 'right' ? 'what its pack says is there is there' : undefined;
		}
		if (footer) return 'its pack says that no chunk begins there';
	} catch (error) {
		unlessUnreadable(error);
	}
	if (ref === undefined) return undefined;
	const { digest, packId, offsetBytes, storedBytes } = ref;
	const { found } = await lookAtPlace(store, { digest, packId, offsetBytes, storedBytes }, undefined, signal);
	return found === 'right' ? 'what should lie there does' : undefined;
}
