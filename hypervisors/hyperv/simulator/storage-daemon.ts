import { asRouseError } from '../../../model/errors.ts';
import { endHolder, spawnLocked } from '../../../system/spawn-locked.ts';
import { lockHolder } from '../../../system/process-lock.ts';
import { endOfLog } from '../iscsi/definition.ts';
import { waitFor } from '../../../system/wait.ts';

export interface StorageDaemon {
	lockPath: string;
	logPath: string;
}

/**
 * A qemu-storage-daemon that ends with this process: the power of the simulated host is this process's life. Resolves true
 * once `isReady` says so; false when it ended before, and its log says why.
 */
export async function startStorageDaemon(
	{ lockPath, logPath }: StorageDaemon,
	args: readonly string[],
	isReady: () => Promise<boolean>,
): Promise<boolean> {
	try {
		await spawnLocked({
			lockPath,
			logPath,
			// From util-linux, as flock is.
			command: 'setpriv',
			args: ['--pdeathsig', 'KILL', 'qemu-storage-daemon', ...args],
			env: { PATH: process.env['PATH'], LC_ALL: 'C' },
			cwd: '/',
		});
	} catch (error) {
		if (asRouseError(error).code !== 'machine_failed') throw error;
		return false;
	}
	const look = async () => (await isReady()) || (await lockHolder(lockPath)) === undefined;
	await waitFor('qemu-storage-daemon to serve', look, { timeoutMs: 30_000 });
	return await isReady();
}

/** What was written through it is durable, unless it had to be killed. MAY find none. */
export async function endStorageDaemon(
	{ lockPath }: StorageDaemon,
	{ politeMs }: { politeMs: number },
): Promise<boolean> {
	return await endHolder(lockPath, { politeMs });
}

export async function whatItSaid({ logPath }: StorageDaemon): Promise<string> {
	return await endOfLog(logPath);
}
