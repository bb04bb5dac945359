import { type ServiceName, serviceFiles } from '../../keeper/services.ts';
import { RouseError } from '../../model/errors.ts';
import type { SupervisorClient } from '../../supervisor/client.ts';
import { recoveryPlaces, repositoryPlaces } from '../../supervisor/files/places.ts';
import type { Installation } from '../../system/installation.ts';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';

export interface KillTarget {
	name: string;
	lockPath: string;
}

/** What is killed under the running guest, in this order. */
export function killTargets(
	installation: Pick<Installation, 'home' | 'runDirectory'>,
	recovery: { name: string; recoveryId: string; repository: string },
): KillTarget[] {
	const { mountMover, migrationMover } = recoveryPlaces(installation, recovery.name, recovery.recoveryId);
	const repositoryMover = repositoryPlaces(installation, recovery.repository).files;
	const service = (name: ServiceName) => ({ name, lockPath: serviceFiles(installation.home, name).lockPath });
	return [
		service('host-worker'),
		{ name: 'mount-mover', lockPath: mountMover.lock },
		{ name: 'migration-mover', lockPath: migrationMover.lock },
		{ name: 'repository-mover', lockPath: repositoryMover.lock },
		service('control-worker'),
		service('supervisor'),
		service('temporal-door'),
		service('temporal-forwarder'),
		service('temporal'),
	];
}

export interface Replaced {
	name: string;
	/** Process that was killed, and the one that came in its place. */
	pid: number;
	newPid: number;
	/** Until the lock was held again. */
	backAfterMs: number;
}

export interface Kill extends Replaced {
	restoredBytesBefore: number;
	/** Seen later, with the new process in place: migration went on. */
	restoredBytesAfter: number;
}

/** A process is back within its supervisor's or keeper's back-off; a busy machine takes its time to start it. */
const backWithinMs = 60_000;

/**
 * Kills a process with SIGKILL, waits until another holds its lock, and then until migration has gone on. Throws when
 * either does not happen: that is what the demonstration is about.
 */
export async function killAndWait(
	target: KillTarget,
	{ supervisor, recovery, signal }: { supervisor: SupervisorClient; recovery: string; signal: AbortSignal },
): Promise<Kill> {
	const restoredBytesBefore = await restoredBytes(supervisor, recovery, signal);
	const replaced = await killAndReplace(target, signal);
	const restoredBytesAfter = await waitFor(
		`migration to go on after the death of ${target.name}`,
		async () => {
			const restored = await restoredBytes(supervisor, recovery, signal);
			return restored > restoredBytesBefore ? restored : undefined;
		},
		{ timeoutMs: backWithinMs, everyMs: 100, signal },
	);
	return { ...replaced, restoredBytesBefore, restoredBytesAfter };
}

/** Kills a process with SIGKILL and waits until another holds its lock. */
export async function killAndReplace(target: KillTarget, signal: AbortSignal): Promise<Replaced> {
	const before = await lockHolder(target.lockPath);
	if (before === undefined)
		throw new RouseError('machine_failed', `${target.name} does not run: nobody holds ${target.lockPath}`);
	if (!(await signalHolder(target.lockPath, 'SIGKILL')))
		throw new RouseError('machine_failed', `${target.name} (pid ${before.pid}) could not be killed`);
	const killedAt = performance.now();
	const now = await waitFor(
		`${target.name} to come back`,
		async () => {
			const holder = await lockHolder(target.lockPath);
			return holder !== undefined && holder.pid !== before.pid ? holder : undefined;
		},
		{ timeoutMs: backWithinMs, signal },
	);
	const backAfterMs = Math.round(performance.now() - killedAt);
	return { name: target.name, pid: before.pid, newPid: now.pid, backAfterMs };
}

/** Of all disks; waits while the supervisor is the one that is dead. */
export async function restoredBytes(
	supervisor: SupervisorClient,
	recovery: string,
	signal: AbortSignal,
): Promise<number> {
	const view = await waitFor(
		'the supervisor to answer',
		async () => {
			try {
				return await supervisor.recovery(recovery, { timeoutMs: 2_000, signal });
			} catch (error) {
				if (error instanceof RouseError && error.code === 'supervisor_unreachable') return undefined;
				throw error;
			}
		},
		{ timeoutMs: backWithinMs, everyMs: 50, signal },
	);
	return view.disks.reduce((sum, disk) => sum + disk.restoredBytes, 0);
}
