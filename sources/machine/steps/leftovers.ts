import { asRouseError } from '../../../model/errors.ts';
import type { ImportIntent } from '../../../repository/import/intent.ts';
import { announcedOf } from '../announced.ts';
import type { Leftover } from '../documents.ts';
import { ownerOf } from '../owner.ts';
import type { StepPlaces } from './places.ts';
import { pointsOfSource } from './points-of-source.ts';

/**
 * What imports of this machine into this repository have on the platform and announced in the repository, but for the checkpoints that the next import needs. Of one
 * that is under way it is needed all the same: whoever calls this knows. What those of another machine have left that was here
 * before is deleted by no import. Changes nothing.
 */
export async function leftoversOf(places: StepPlaces, machine: string): Promise<Leftover[]> {
	const { source, repository, signal } = places;
	const ours: Leftover[] = [];
	for await (const leftover of source.leftovers(undefined, signal))
		if (leftover.owner.startsWith(`${repository.id}/${machine}/`)) ours.push(leftover);
	const announced: Leftover[] = [];
	for await (const { intent, owner } of announcedOf(repository, machine, signal)) announced.push(leftOf(intent, owner));
	// Afterwards: what an import keeps that ends meanwhile is its point's.
	const kept = ours.length === 0 ? new Map<string, string>() : await keptTags(places, machine);
	const left = [...ours.filter(({ owner, tag }) => kept.get(owner) !== tag), ...announced];
	if (left.length === 0) return [];
	const identity = await identityOf(places);
	const owner = identity === undefined ? undefined : ownerOf(repository.id, machine, identity);
	return left.map(leftover => ({ ...leftover, canDelete: leftover.canDelete && leftover.owner === owner }));
}

/** While it stands nothing that the import may have found is removed, nor its base. */
function leftOf({ importId, startedAt, base }: ImportIntent, owner: string): Leftover {
	const what = `the announcement in the repository${base === null ? '' : `, which keeps point ${base.restorePoint},`}`;
	return { tag: importId, owner, what, since: startedAt, costText: null, canDelete: true };
}

/** Undefined when the machine is gone. */
async function identityOf({ source, signal }: StepPlaces): Promise<string | undefined> {
	try {
		return (await source.describe(signal)).identity;
	} catch (error) {
		if (asRouseError(error).code !== 'machine_unknown') throw error;
		return undefined;
	}
}

/** By owner: the import whose checkpoint the next one asks by. */
async function keptTags({ source, repository, signal }: StepPlaces, machine: string): Promise<Map<string, string>> {
	const kept = new Map<string, string>();
	for await (const { point, facts } of pointsOfSource(repository, { machine, kind: source.kind }, signal)) {
		const owner = ownerOf(repository.id, machine, facts.identity);
		if (!kept.has(owner)) kept.set(owner, point.manifest.importId);
	}
	return kept;
}
