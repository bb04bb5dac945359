import { RouseError } from '../../../model/errors.ts';
import { readSourceFacts, type SourceFacts } from '../../../model/source-facts.ts';
import { listPoints, type RestorePoint } from '../../../repository/points.ts';
import { readOrDamage } from '../../../repository/read-points.ts';
import type { Repository } from '../../../repository/repository.ts';
import type { EndedImport } from '../order.ts';
import type { StepPlaces } from './places.ts';

/** A point that came from a machine of this kind and identity, and of which its platform keeps a checkpoint. */
export interface PointOfSource {
	point: RestorePoint;
	facts: SourceFacts;
	checkpoint: NonNullable<SourceFacts['checkpoint']>;
}

interface OfSource {
	machine: string;
	kind: string;
	/** Absent: of all that have had the machine's name. */
	identity?: string;
	/** How many points are looked at, of whatever source; a time that is taken by no point is none. */
	most?: number;
}

/** An import leaves one checkpoint, so that there are several only where commits have failed. */
const mostWithCheckpoint = 16;

/** Latest first. What cannot be read, or tells nothing of its source, is passed over. */
export async function* pointsOfSource(
	repository: Repository,
	{ machine, kind, identity, most = mostWithCheckpoint }: OfSource,
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
		if (facts?.kind !== kind || facts.identity !== (identity ?? facts.identity)) continue;
		const { checkpoint } = facts;
		if (checkpoint !== null) yield { point, facts, checkpoint };
	}
}

/** Those that came from the machine of an import, its own among them: latest first. */
export async function pointsLike(
	{ repository, signal }: Pick<StepPlaces, 'repository' | 'signal'>,
	{ machine, identity, described }: EndedImport,
): Promise<PointOfSource[]> {
	const points: PointOfSource[] = [];
	const of = { machine, kind: described.kind, identity };
	for await (const found of pointsOfSource(repository, of, signal)) points.push(found);
	return points;
}
