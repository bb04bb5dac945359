/** Why a recovery cannot go on without a person, judged from what was seen. No I/O. */
import { retryClassOf, type RouseError } from '../../model/errors.ts';
import type { BadChunk } from '../../movers/config.ts';
import type { Blocked } from '../protocol.ts';
import type { Seen } from '../recovery/recovery.ts';
import type { RecoveryState } from '../files/state.ts';

/** So many read errors within this time that no bad chunk explains are the host's own disk. */
export const readErrorLimit = { count: 3, withinMs: 10_000 };

export interface Failures {
	mount: RouseError | undefined;
	migration: RouseError | undefined;
	/** Whatever else fails at every look. */
	other: RouseError | undefined;
}

export function judge(state: RecoveryState, seen: Seen, failures: Failures, directory: string): Blocked | null {
	const retry = `then: rouse recover retry ${state.name}`;
	const error = (found: RouseError): Blocked => ({
		code: found.code,
		reason: found.message,
		next: found.hint ? `${found.hint}; ${retry}` : retry,
	});
	if (state.switch.stage === 'begun') return seen.switchFailure ? error(seen.switchFailure) : null;
	return (
		guestStands(state, seen, directory, retry) ??
		guestWaits(seen, retry) ??
		(seen.machineFailure ? error(seen.machineFailure) : null) ??
		migrationStands(state, seen, retry) ??
		(failures.mount ? error(failures.mount) : null) ??
		(failures.migration ? error(failures.migration) : null) ??
		(failures.other ? error(failures.other) : null)
	);
}

function guestStands(state: RecoveryState, seen: Seen, directory: string, retry: string): Blocked | null {
	const stopped = seen.machine?.ioError;
	if (stopped === undefined) return null;
	if (stopped.operation === 'write' && stopped.noSpace)
		return {
			code: 'space_short',
			reason: `the guest stands still: a write to ${stopped.disk} found no space under ${directory}`,
			next: `make room there, ${retry}`,
		};
	const bad = seen.mount?.badChunks ?? [];
	if (stopped.operation === 'read' && bad.length > 0) {
		const chunk = bad.find(one => one.disk === stopped.disk) ?? bad[0];
		if (chunk) return chunkBad(state, chunk, 'the guest stands still at a read: ', retry);
	}
	if (stopped.operation === 'read' && seen.readErrors.length < readErrorLimit.count) return null;
	// The mount mover knows the place when it was a block that is local.
	const failure = stopped.operation === 'read' ? seen.mount?.failure : undefined;
	const where = failure?.code === 'io_failed' ? failure.message : directory;
	return {
		code: 'io_failed',
		reason: `the guest stands still: a ${stopped.operation} of ${stopped.disk} failed on the host's own disk (${where})`,
		next: `mend it, ${retry}`,
	};
}

/** A read that waits is served when what is away comes back by itself; when that takes a person, they must know. */
function guestWaits({ mount, readsWaited }: Seen, retry: string): Blocked | null {
	if (!readsWaited || !mount?.failure || retryClassOf(mount.failure.code) !== 'person') return null;
	const { code, message, hint } = mount.failure;
	return { code, reason: `a read of the guest waits: ${message}`, next: hint ? `${hint}; ${retry}` : retry };
}

function migrationStands(state: RecoveryState, seen: Seen, retry: string): Blocked | null {
	const { migration } = seen;
	if (!migration?.failure) return null;
	const [chunk] = migration.badChunks;
	if (migration.failure.code === 'chunk_bad' && chunk) return chunkBad(state, chunk, 'copying has stopped: ', retry);
	return {
		code: migration.failure.code,
		reason: `copying has stopped: ${migration.failure.message}`,
		next: migration.failure.hint ? `${migration.failure.hint}; ${retry}` : retry,
	};
}

function chunkBad(state: RecoveryState, chunk: BadChunk, what: string, retry: string): Blocked {
	const point = state.plan ? `${state.plan.machine}@${state.plan.restorePoint}` : '';
	return {
		code: 'chunk_bad',
		reason: `${what}chunk ${chunk.index} of ${chunk.disk} of ${point} (digest ${chunk.digest}, pack ${chunk.packId}) is damaged`,
		next: `put pack ${chunk.packId} of ${state.plan?.repository ?? 'the repository'} right (rouse backup verify names what is damaged), ${retry}`,
	};
}
