import { rm, writeFile } from 'node:fs/promises';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import { lockHolder } from '../../../system/process-lock.ts';
import { programPath } from '../../../system/program-path.ts';
import { endHolder, spawnLocked } from '../../../system/spawn-locked.ts';
import { waitFor } from '../../../system/wait.ts';
import { isMounted, unmount } from '../mounted-file.ts';
import { endOfLog, type IscsiTarget, isNotInstalled, type TargetOptions, type TargetPaths } from './definition.ts';

export const installStorageDaemon = 'apt-get install qemu-system-common';

/** How long reads and writes wait for a mount mover that is away; the initiator's patience ends long before. */
const reconnectSeconds = 24 * 60 * 60;

/**
 * The mount mover's export as a file, which is how tgtd can have it: qemu-storage-daemon as NBD client and FUSE server.
 * Throws `mover_unreachable` when the export cannot be opened.
 */
export async function startStorage(paths: TargetPaths, target: IscsiTarget, { signal }: TargetOptions): Promise<void> {
	await writeFile(paths.disk, '', { mode: 0o600 });
	const server = `server.type=unix,server.path=${target.nbdSocket},export=${target.exportName}`;
	try {
		await spawnLocked({
			lockPath: paths.storageLock,
			logPath: paths.storageLog,
			command: 'qemu-storage-daemon',
			args: [
				'--blockdev',
				`driver=nbd,node-name=disk,${server},reconnect-delay=${reconnectSeconds}`,
				'--export',
				`type=fuse,id=disk,node-name=disk,mountpoint=${paths.disk},writable=on,allow-other=off`,
			],
			env: { PATH: programPath(), LC_ALL: 'C' },
			cwd: '/',
		});
		await waitFor('the disk to be a file', async () => (await isMounted(paths.disk)) || (await ended(paths)), {
			timeoutMs: 20_000,
			signal,
		});
		if (await isMounted(paths.disk)) return;
	} catch (error) {
		signal?.throwIfAborted();
		if (asRouseError(error).code !== 'machine_failed') throw error;
	}
	const said = await endOfLog(paths.storageLog);
	if (isNotInstalled(said))
		throw new RouseError('tool_missing', 'qemu-storage-daemon is not installed', {
			hint: installStorageDaemon,
		});
	const code = /Failed to connect|export|negotiat/i.test(said) ? 'mover_unreachable' : 'machine_failed';
	throw new RouseError(code, `${target.exportName} of ${target.nbdSocket} could not be opened: ${said}`);
}

export async function storageRuns(paths: TargetPaths): Promise<boolean> {
	return !(await ended(paths)) && (await isMounted(paths.disk));
}

/** Reads that wait for the mount mover end with it, with an error. */
export async function endStorage(paths: TargetPaths): Promise<void> {
	// It drains what is under way first, which a mover that is away keeps it from.
	if (!(await endHolder(paths.storageLock, { politeMs: 1_000 })))
		throw new RouseError('hypervisor_stuck', `qemu-storage-daemon does not end: ${paths.storageLock}`, {
			hint: 'it is stuck in the kernel; boot this host again',
		});
	// Killed, it leaves a mount that answers nobody.
	if (await isMounted(paths.disk)) await unmount(paths.disk);
	await rm(paths.disk, { force: true });
}

async function ended(paths: TargetPaths): Promise<boolean> {
	return (await lockHolder(paths.storageLock)) === undefined;
}
