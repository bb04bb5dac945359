import { RouseError } from '../../../model/errors.ts';
import { readSourceFacts, type SourceFacts } from '../../../model/source-facts.ts';
import { listPoints, type RestorePoint } from '../../../repository/points.ts';
import { readOrDamage } from '../../../repository/read-points.ts';
import type { Repository } from '../../../repository/repository.ts';

/** A point that came from a machine of this kind and identity, and of which its platform keeps a checkpoint. */
export interface PointOfSource {
	point: RestorePoint;
	facts: SourceFacts;
	checkpoint: NonNullable<SourceFacts['checkpoint']>;
}

export interface OfSource {
	machine: string;
	kind: string;
	identity: string;
	/** How many points are looked at, of whatever source; a time that is taken by no point is none. */
	most: number;
}

/** Latest first. What cannot be read, or tells nothing of its source, is passed over. */
export async function* pointsOfSource(
	repository: Repository,
	{ machine, kind, identity, most }: OfSource,
	signal: AbortSignal,
): AsyncGenerator<PointOfSource> {
	const times = await listPoints(repository, machine, signal);
	let looked = 0;
	for (const time of times.toReversed()) {
		const point = await readOrDamage(repository, machine, time, signal);
		if (point === undefined) continue;
		if (++looked > most) return;
		if (point instanceof RouseError) continue;
		const facts = readSourceFacts(point.manifest.facts);
		if (facts === undefined || facts.kind !== kind || facts.identity !== identity) continue;
		const { checkpoint } = facts;
		if (checkpoint !== null) yield { point, facts, checkpoint };
	}
}
