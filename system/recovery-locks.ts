import { basename, join } from 'node:path';
import { lockHolder } from './process-lock.ts';
import { namesIn } from './names-in.ts';

export interface HeldLock {
	path: string;
	pid: number;
	startTicks: string;
	/** By the name of the lock in a recovery's directory. */
	of: 'machine' | 'mover';
}

/** What runs of the recoveries whose directories are in this one, by the locks that are held. */
export async function heldRecoveryLocks(recoveries: string): Promise<HeldLock[]> {
	const held: HeldLock[] = [];
	for (const name of await namesIn(recoveries)) {
		for (const path of await locksIn(join(recoveries, name))) {
			const holder = await lockHolder(path);
			if (holder) held.push({ path, ...holder, of: basename(path) === 'machine.lock' ? 'machine' : 'mover' });
		}
	}
	return held;
}

/** Paths of the locks in a directory, held or not; none for one that is not there. */
export async function locksIn(directory: string): Promise<string[]> {
	const names = await namesIn(directory);
	return names.filter(name => name.endsWith('.lock')).map(name => join(directory, name));
}
