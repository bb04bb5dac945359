import { RouseError } from '../../../model/errors.ts';
import type { EndedImport } from '../order.ts';
import type { StepPlaces } from './places.ts';
import { pointsLike } from './points-of-source.ts';
import { publishedPoint } from './published.ts';

/**
 * When the point is there: of the points of this machine and source, the platform keeps the checkpoint of the latest one, and drops
 * those of all others. That is this import's, unless a later one was faster. Throws what the source throws; the import is
 * finished all the same, and what is left is a leftover.
 */
export async function commitMoment(places: StepPlaces, order: EndedImport): Promise<void> {
	const { source, repository, signal } = places;
	const { tag, owner, identity, machine, time } = order;
	if ((await publishedPoint(repository, order, signal)) === undefined)
		throw new RouseError('phase_wrong', `import ${tag} has not made ${machine}@${time}: its moment is still needed`);
	const [, ...droppable] = (await pointsLike(places, order)).map(({ point }) => point.manifest.importId);
	await source.commit({ tag, owner, identity }, { droppable }, signal);
}
