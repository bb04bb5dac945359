import { listPoints } from '../../../repository/points.ts';
import type { Repository } from '../../../repository/repository.ts';

/** Clocks of machines that share a repository differ by so much; a point that is further ahead was made so, or is a mistake. */
const clockSkewMs = 60_000;

/**
 * The time of a new point: now, and behind the latest one, so that `latest` is the one that was made last. Not behind one that is
 * far in the future: all that follow would be dated by it.
 */
export async function pointTime(
	repository: Repository,
	machine: string,
	now: Date,
	signal: AbortSignal,
): Promise<string> {
	const times = await listPoints(repository, machine, signal);
	const latest = times.findLast(time => Date.parse(time) <= now.getTime() + clockSkewMs);
	const ms = latest === undefined ? now.getTime() : Math.max(now.getTime(), Date.parse(latest) + 1);
	return new Date(ms).toISOString();
}
