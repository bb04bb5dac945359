/** Why a recovery cannot go on without a person, judged from what was seen. No I/O. */
import type { MachineObservation } from '../../hypervisors/contract.ts';
import { type ErrorDocument, retryClassOf, type RouseError } from '../../model/errors.ts';
import { nextAfter } from '../../model/next.ts';
import type { Blocked } from '../../model/recovery.ts';
import type { BadChunk } from '../../movers/config.ts';
import type { Seen } from '../recovery/recovery.ts';
import { moversWanted, type RecoveryState } from '../files/state.ts';

/** So many errors within this time that may be the mover's, and that no bad chunk explains, are the host's own disk. */
export const moverErrorLimit = { count: 3, withinMs: 10_000 };

export const asksToStart =
	'the host was started anew: the machine, which had been on, stays off until its workflow is seen to be open or somebody powers it on';

export interface Failures {
	mount: RouseError | undefined;
	migration: RouseError | undefined;
	/** Whatever else fails at every look. */
	other: RouseError | undefined;
}

export function judge(state: RecoveryState, seen: Seen, failures: Failures, directory: string): Blocked | null {
	// First, also while a switch cannot be carried on: whoever has the answer looks for this.
	const asks = seen.asksToStart && !(state.switch.stage === 'begun' && state.chain === 'target');
	if (asks) return { code: 'host_rebooted', reason: asksToStart, next: { order: 'power-on' } };
	if (state.switch.stage === 'begun') return blockedBy(seen.switchFailure);
	return (
		guestStands(state, seen, directory) ??
		guestCrashed(seen) ??
		guestWaits(seen) ??
		blockedBy(seen.machineFailure) ??
		migrationStands(state, seen) ??
		blockedBy(failures.mount) ??
		blockedBy(failures.migration) ??
		blockedBy(failures.other)
	);
}

function blockedBy(failure: ErrorDocument | undefined, what = ''): Blocked | null {
	return failure ? { code: failure.code, reason: `${what}${failure.message}`, next: nextAfter(failure) } : null;
}

/**
 * Whether the mount mover may have answered it with an error, on purpose or for a bad chunk. A write of less than a block
 * of the overlay as well: the rest of the block is read first (copy-on-write), and QEMU tells of that as a failed write.
 */
export function mayBeMovers(
	state: RecoveryState,
	{ operation, noSpace }: NonNullable<MachineObservation['ioError']>,
): boolean {
	return operation === 'read' || (!noSpace && moversWanted(state).mount);
}

function guestStands(state: RecoveryState, seen: Seen, directory: string): Blocked | null {
	const stopped = seen.machine?.ioError;
	if (stopped === undefined) return null;
	if (stopped.operation === 'write' && stopped.noSpace)
		return {
			code: 'space_short',
			reason: `the guest stands still: a write to ${stopped.disk} found no space under ${directory}`,
			next: { order: 'retry', first: `make room in ${directory}` },
		};
	const asMovers = mayBeMovers(state, stopped);
	const bad = seen.mount?.badChunks ?? [];
	const chunk = bad.find(one => one.disk === stopped.disk) ?? bad[0];
	if (asMovers && chunk) return chunkBad(state, chunk, `the guest stands still at a ${stopped.operation}: `);
	if (asMovers && seen.moverErrors.length < moverErrorLimit.count) return null;
	// The mount mover knows the place when it was a block that is local.
	const failure = asMovers ? seen.mount?.failure : undefined;
	const where = failure?.code === 'io_failed' ? failure.message : directory;
	return {
		code: 'io_failed',
		reason: `the guest stands still: a ${stopped.operation} of ${stopped.disk} failed on the host's own disk (${where})`,
		next: { order: 'retry', first: 'mend that disk' },
	};
}

/** One that its platform has a remedy for is helped without a person. */
function guestCrashed({ machine }: Seen): Blocked | null {
	const crash = machine?.crash;
	if (crash === undefined || crash.fallBack !== undefined) return null;
	const reason = `the guest has crashed: ${crash.reason}; what it had written is kept`;
	return { code: 'machine_failed', reason, next: { order: 'power-reset' } };
}

/** A read that waits is served when what is away comes back by itself; when that takes a person, they must know. */
function guestWaits({ mount, readsWaited }: Seen): Blocked | null {
	if (!readsWaited || !mount?.failure || retryClassOf(mount.failure.code) !== 'person') return null;
	return blockedBy(mount.failure, 'a read of the guest waits: ');
}

function migrationStands(state: RecoveryState, seen: Seen): Blocked | null {
	const { migration } = seen;
	if (!migration?.failure) return null;
	const [chunk] = migration.badChunks;
	if (migration.failure.code === 'chunk_bad' && chunk) return chunkBad(state, chunk, 'copying has stopped: ');
	return blockedBy(migration.failure, 'copying has stopped: ');
}

function chunkBad(state: RecoveryState, chunk: BadChunk, what: string): Blocked {
	const point = state.plan ? `${state.plan.machine}@${state.plan.restorePoint}` : '';
	const repository = state.plan?.repository ?? 'the repository';
	return {
		code: 'chunk_bad',
		reason: `${what}chunk ${chunk.index} of ${chunk.disk} of ${point} (digest ${chunk.digest}, pack ${chunk.packId}) is damaged`,
		next: { order: 'retry', first: `put pack ${chunk.packId} back into ${repository} from a copy of it` },
	};
}
