import { RouseError } from '../../../model/errors.ts';
import type { EndedImport } from '../order.ts';
import type { StepPlaces } from './places.ts';
import { pointsOfSource } from './points-of-source.ts';
import { publishedPoint } from './published.ts';

/** One import leaves one checkpoint, so that there are several only where commits have failed. */
const mostPoints = 16;

/**
 * When the point is there: of the points of this machine and source, the platform keeps the checkpoint of the latest one, and drops
 * those of all others. That is this import's, unless a later one was faster. Throws what the source throws; the import is
 * finished all the same, and what is left is a leftover.
 */
export async function commitMoment({ source, repository, signal }: StepPlaces, order: EndedImport): Promise<void> {
	const { tag, owner, identity, machine, time, described } = order;
	if ((await publishedPoint(repository, order, signal)) === undefined)
		throw new RouseError('phase_wrong', `import ${tag} has not made ${machine}@${time}: its moment is still needed`);
	const of = { machine, kind: described.kind, identity, most: mostPoints };
	const tags: string[] = [];
	for await (const { point } of pointsOfSource(repository, of, signal)) tags.push(point.manifest.importId);
	const [, ...droppable] = tags;
	await source.commit({ tag, owner, identity }, { droppable }, signal);
}
