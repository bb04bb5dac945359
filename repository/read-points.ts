import { RouseError } from '../model/errors.ts';
import { isUnreadable } from './damage.ts';
import { listMachines, listPoints, type RestorePoint, readPoint } from './points.ts';
import type { Repository } from './repository.ts';

/** A point that is there, or why it cannot be read. */
export type PointFound = { machine: string; time: string } & (
	| { point: RestorePoint; error?: undefined }
	| { point?: undefined; error: RouseError }
);

/**
 * The points of one machine, or of all, oldest first. One that is damaged, or of a version that this program does not know,
 * hides none of the others; one that goes meanwhile is left out.
 */
export async function* readPoints(
	repository: Repository,
	machine?: string,
	signal?: AbortSignal,
): AsyncGenerator<PointFound> {
	for (const name of machine === undefined ? await listMachines(repository, signal) : [machine])
		for (const time of await listPoints(repository, name, signal)) {
			const found = await readOrDamage(repository, name, time, signal);
			if (found instanceof RouseError) yield { machine: name, time, error: found };
			else if (found !== undefined) yield { machine: name, time, point: found };
		}
}

/** A point, or why it cannot be read; undefined when there is none (any more). */
export async function readOrDamage(
	...[repository, machine, time, signal]: Parameters<typeof readPoint>
): Promise<RestorePoint | RouseError | undefined> {
	try {
		return await readPoint(repository, machine, time, signal);
	} catch (error) {
		if (isUnreadable(error)) return error;
		if (error instanceof RouseError && error.code === 'point_unknown') return undefined;
		throw error;
	}
}

/**
 * As `readPoint`, for the point that a person has chosen, by its time or as the latest. When that cannot be read the error names
 * the one before it: an older one is taken because somebody says so, and never silently.
 */
export async function readChosenPoint(
	...[repository, machine, time, signal]: Parameters<typeof readPoint>
): Promise<RestorePoint> {
	try {
		return await readPoint(repository, machine, time, signal);
	} catch (error) {
		if (!isUnreadable(error)) throw error;
		const before = await lastBefore(repository, machine, time, signal);
		const instead =
			before === undefined
				? `${machine} has no earlier point that can be read`
				: `the point before it can be read: say ${machine}@${before} to take that one`;
		throw new RouseError(error.code, `${machine}@${time} cannot be read: ${error.message}`, {
			hint: error.hint === undefined ? instead : `${error.hint}, or import the machine again; ${instead}`,
			details: { machine, restorePoint: time, ...(before === undefined ? {} : { before }) },
			cause: error,
		});
	}
}

async function lastBefore(
	...[repository, machine, time, signal]: Parameters<typeof readPoint>
): Promise<string | undefined> {
	const earlier = (await listPoints(repository, machine, signal)).filter(other => other < time);
	for (const other of earlier.toReversed()) {
		const found = await readOrDamage(repository, machine, other, signal);
		if (found !== undefined && !(found instanceof RouseError)) return other;
	}
	return undefined;
}
