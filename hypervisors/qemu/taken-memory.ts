import { readFile } from 'node:fs/promises';
import { isErrno } from '../../system/durable-file.ts';
import { lockHolder } from '../../system/process-lock.ts';
import type { MachinePaths } from './paths.ts';

/** See `Machine.takenMiB`. Of what holds the machine's lock, which is not asked: it may be stuck. */
export async function takenMiB({ lock }: Pick<MachinePaths, 'lock'>): Promise<number> {
	const holder = await lockHolder(lock);
	if (holder === undefined) return 0;
	try {
		return takenOf(await readFile(`/proc/${holder.pid}/status`, 'latin1'));
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return 0; // it ended between the two looks
		throw error;
	}
}

/** proc_pid_status(5), in KiB. Without what it maps of files, which the kernel counts as available. */
export function takenOf(status: string): number {
	const kibibytes = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0);
	return Math.floor((kibibytes('RssAnon') + kibibytes('RssShmem')) / 1024);
}
