import { randomUUID } from 'node:crypto';
import { asRouseError, RouseError } from '../../model/errors.ts';
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { findInterrupted } from '../../repository/import/find-interrupted.ts';
import { importMoment } from '../../repository/import/moment.ts';
import { listPoints } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';

/** Which import a command makes, or goes on with. */
export interface ImportAttempt {
	importId: string;
	/** Of the point. */
	time: string;
	moment: string | null;
	/** When it was begun by a process that is gone; undefined for a new one. */
	begunAt?: string;
}

interface Wish {
	machine: string;
	/** What the person said, if anything. */
	at: string | undefined;
	/** Of a new one for which nothing was said. */
	now: string;
	disks: readonly DiskSource[];
}

/**
 * An import of the same machine from disks that are as they were then, if it was interrupted; else a new one, also where the machine
 * has got a later point since: who says no time means the latest one, and would get one that hides behind that.
 */
export async function importAttempt(
	repository: Repository,
	{ machine, at, now, disks }: Wish,
	signal: AbortSignal,
): Promise<ImportAttempt> {
	const { store, chunkSizeBytes, frameSizeBytes } = repository;
	const moment = importMoment(disks);
	if (moment !== null) {
		const sizes = disks.map(({ sizeBytes }) => ({ sizeBytes }));
		const same = { machine, moment, disks: sizes, chunkSizeBytes, frameSizeBytes, base: null };
		const found = await findInterrupted(store, same, { time: at, signal });
		const latest = at === undefined ? (await listPoints(repository, machine, signal)).at(-1) : undefined;
		if (found !== undefined && (latest === undefined || latest <= found.time))
			return { importId: found.importId, time: found.time, moment, begunAt: found.startedAt };
	}
	return { importId: randomUUID(), time: at ?? now, moment };
}

/** What an import that was interrupted ends with: how it is gone on with. */
export function afterInterruption(
	thrown: unknown,
	{ moment, disks }: Pick<ImportAttempt, 'moment'> & { disks: readonly Pick<DiskSource, 'access'>[] },
	signal: AbortSignal,
): unknown {
	// Node's own functions throw an AbortError of theirs when a signal they were given is aborted.
	const isByIt = thrown === signal.reason || (thrown instanceof Error && thrown.name === 'AbortError');
	if (!signal.aborted || !isByIt) return thrown;
	const { code, message, details } = asRouseError(signal.reason);
	const isReadAnew = moment === null || disks.some(({ access }) => access === 'sequential');
	const hint = isReadAnew
		? 'the same command begins anew, and uses what was stored'
		: 'the same command goes on where it ended, as long as nobody writes to the disks';
	return new RouseError(code, message, { hint, details, cause: thrown });
}
