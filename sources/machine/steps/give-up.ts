import { asRouseError } from '../../../model/errors.ts';
import { fenceImport } from '../../../repository/import/fence-import.ts';
import { removeImport } from '../../../repository/import/remove-import.ts';
import type { EndedImport } from '../order.ts';
import type { StepPlaces } from './places.ts';

/**
 * Ends an import that nobody goes on with, wherever it stands, begun or not. From the fence on no attempt of it can publish, also
 * none that nobody knows of; only then is its moment taken away, and after that what it has announced. When it turns out that its
 * point is there nothing is taken away: whoever calls this commits it then, and what comes of that does not change that it is there.
 * May be called again.
 */
export async function giveUp(places: StepPlaces, order: EndedImport): Promise<'given-up' | 'published'> {
	const end = await abandonFenced(places, order);
	if (end === 'given-up') await removeImport(places.repository.store, order.tag);
	return end;
}

/** All of it but for what it has announced. */
export async function abandonFenced(places: StepPlaces, order: EndedImport): Promise<'given-up' | 'published'> {
	const { source, repository, signal } = places;
	const { tag, owner, identity, machine, time } = order;
	const end = await fenceImport(repository, { machine, time, importId: tag }, signal).catch((error: unknown) => {
		// Another import's point is a fence as well.
		if (asRouseError(error).code === 'point_exists') return 'fenced';
		throw error;
	});
	if (end === 'published') return 'published';
	await source.abandon({ tag, owner, identity }, signal);
	return 'given-up';
}
