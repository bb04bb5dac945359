import { mkdir, rm } from 'node:fs/promises';
import { RouseError } from '../../../model/errors.ts';
import { lockHolder } from '../../../system/process-lock.ts';
import { endHolder } from '../../../system/spawn-locked.ts';
import { checkTarget, type IscsiTarget, type TargetOptions, type TargetPaths, targetPaths } from './definition.ts';
import {
	endKernelTarget,
	kernelHasTargets,
	kernelTargetRuns,
	mendKernelTarget,
	startKernelTarget,
} from './kernel/kernel-target.ts';
import { endStorage, startStorage, storageRuns } from './storage.ts';
import { endTargetDaemon, isServed, startTargetDaemon } from './target-daemon.ts';

/**
 * An export of the mount mover as the disk behind an iSCSI target (LUN 1), for whoever knows the CHAP secret: by the kernel
 * where it can, else by qemu-storage-daemon under tgtd; both wait for a mover that died. What is there and whole is left
 * alone; what is not is ended and started anew, which initiators meet as a connection that is lost.
 *
 * Throws `tool_missing`, `mover_unreachable` when the export cannot be opened, `machine_failed` with the reason when one of
 * both programs does not come up: somebody else has the port, for one.
 */
export async function startTarget(target: IscsiTarget, options: TargetOptions = {}): Promise<void> {
	checkTarget(target);
	const paths = targetPaths(target);
	if ((await targetRuns(target, options)) || (await mendKernelTarget(target, options))) return;
	await mkdir(target.directory, { recursive: true, mode: 0o700 });
	await stopTarget(target);
	try {
		if (await kernelHasTargets()) return await startKernelTarget(target, options);
		await startStorage(paths, target, options);
		await startTargetDaemon(paths, target, options);
	} catch (error) {
		await stopTarget(target);
		throw error;
	}
}

/** Both programs run, and the target is as `startTarget` makes it. */
export async function targetRuns(target: IscsiTarget, options: TargetOptions = {}): Promise<boolean> {
	if (await kernelTargetRuns(target)) return true;
	const paths = targetPaths(target);
	return (await storageRuns(paths)) && (await isServed(paths, target, options));
}

/** Whether what serves it is alive: asks no program, and may be asked at every look. */
export async function isAlive(target: IscsiTarget): Promise<boolean> {
	if (await kernelTargetRuns(target)) return true;
	const paths = targetPaths(target);
	return (await storageRuns(paths)) && (await lockHolder(paths.daemonLock)) !== undefined;
}

/** Ends it, whoever is connected, and leaves locks and logs alone. MAY find nothing. Waits for no read. */
export async function stopTarget(target: Pick<IscsiTarget, 'directory'>): Promise<void> {
	await endKernelTarget(target.directory);
	await endAll(targetPaths(target));
}

/** tgtd first, so that what was written is flushed; when it waits for its disk it is gone after that. */
async function endAll(paths: TargetPaths): Promise<void> {
	const ended = await endTargetDaemon(paths);
	await endStorage(paths);
	if (!ended && !(await endHolder(paths.daemonLock)))
		throw new RouseError('hypervisor_stuck', `tgtd does not end: ${paths.daemonLock}`, {
			hint: 'it is stuck in the kernel; boot this host again',
		});
	for (const path of paths.controlFiles) await rm(path, { force: true });
}
