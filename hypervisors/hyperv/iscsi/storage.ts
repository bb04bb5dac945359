import { rm, writeFile } from 'node:fs/promises';
import { asRouseError, RouseError } from '../../../model/errors.ts';
import { lockHolder } from '../../../system/process-lock.ts';
import { programPath } from '../../../system/program-path.ts';
import { runTool } from '../../../system/run-tool.ts';
import { endHolder, spawnLocked } from '../../../system/spawn-locked.ts';
import { waitFor } from '../../../system/wait.ts';
import { isMounted, mountNumber, unmount } from '../mounted-file.ts';
import { endOfLog, type IscsiTarget, isNotInstalled, type TargetOptions, type TargetPaths } from './definition.ts';

export const installStorageDaemon = 'apt-get install qemu-system-common';

/** How long reads and writes wait for a mount mover that is away; the initiator's patience ends long before. */
const reconnectSeconds = 24 * 60 * 60;

/** Of reads and writes that are under way at once; the kernel's own limit for a file of FUSE is 12. */
export const parallelRequests = 128;

/**
 * The mount mover's exports as a file, which is how tgtd can have it: qemu-storage-daemon as NBD client and FUSE server.
 * Throws `mover_unreachable` when the exports cannot be opened.
 */
export async function startStorage(paths: TargetPaths, target: IscsiTarget, { signal }: TargetOptions): Promise<void> {
	await writeFile(paths.disk, '', { mode: 0o600 });
	try {
		await spawnLocked({
			lockPath: paths.storageLock,
			logPath: paths.storageLog,
			command: 'qemu-storage-daemon',
			args: [
				...nodesOf(target).flatMap(node => ['--blockdev', node]),
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
		const mount = await mountNumber(paths.disk);
		if (mount !== undefined) {
			await allowParallel(mount, signal);
			return;
		}
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

/**
 * What is at hand comes by a connection on which no reply waits for the repository: one that waits keeps others on its
 * connection from ending, however few they are (block/nbd.c, `receive_mutex`, QEMU 7.2). `fifo` asks `now` first, and
 * `wait` for what that refuses. Writes go to all children, and so `wait` is made to refuse them.
 */
function nodesOf({ nbdSocket, exportName }: IscsiTarget): string[] {
	const connection = (node: string, suffix: string) =>
		`driver=nbd,node-name=${node},server.type=unix,server.path=${nbdSocket},export=${exportName}-${suffix},reconnect-delay=${reconnectSeconds}`;
	const refuse = ['write', 'flush'].map(
		(kind, number) => `inject-error.${number}.event=none,inject-error.${number}.iotype=${kind}`,
	);
	return [
		connection('now', 'now'),
		connection('waiting', 'wait'),
		`driver=blkdebug,node-name=wait,image=waiting,${refuse.join(',')}`,
		'driver=quorum,node-name=disk,vote-threshold=1,read-pattern=fifo,children.0=now,children.1=wait',
	];
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

/** By the control file system of FUSE, mounted where nobody else sees it: Documentation/filesystems/fuse.rst of Linux. */
async function allowParallel(mount: string, signal: AbortSignal | undefined): Promise<void> {
	const script = 'mount -t fusectl none "$0" && echo "$2" >"$0/$1/max_background"';
	const args = ['/sys/fs/fuse/connections', mount, `${parallelRequests}`];
	const options = { hint: 'apt-get install util-linux', wholeMs: 20_000, signal };
	const { code, tail } = await runTool('unshare', ['--mount', 'sh', '-c', script, ...args], options);
	if (code !== 0) throw new RouseError('tool_failed', `the limits of FUSE cannot be set: ${tail.join(' ')}`);
}
