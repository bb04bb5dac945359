/** The processes of one user, as the kernel tells of them: nothing that they do themselves takes one off the list. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { isErrno } from './durable-file.ts';

/** Whom a process may act as (real, effective, saved and file system's user); nobody once it has ended. */
export type UsersOf = ReadonlySet<number>;

/**
 * Format: proc_pid_status(5). Not the owner of /proc/PID, which a process makes root's by being undumpable. One whose first
 * thread has ended is a zombie by its state, and runs as long as it has others.
 */
export function usersIn(status: string): UsersOf {
	const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
	const ended = /^[ZX]/.test(field('State')) && Number(field('Threads')) <= 1;
	return new Set(ended ? [] : field('Uid').split(/\s+/).map(Number));
}

/** Of every process that lives. */
export async function usersByProcess(): Promise<Map<number, UsersOf>> {
	const found = new Map<number, UsersOf>();
	const look = async (pid: string) => {
		const status = await unlessEnded(readFile(`/proc/${pid}/status`, 'latin1'));
		if (status !== undefined) found.set(Number(pid), usersIn(status));
	};
	await Promise.all((await readdir('/proc')).filter(name => /^\d+$/.test(name)).map(look));
	return found;
}

export async function processesOf(uid: number): Promise<number[]> {
	return [...(await usersByProcess())].filter(([, users]) => users.has(uid)).map(([pid]) => pid);
}

/** Ends a process at once if it is that user's: looked at in the same breath, since its number may be another's by then. */
export function killIfOf(uid: number, pid: number): void {
	try {
		if (usersIn(readFileSync(`/proc/${pid}/status`, 'latin1')).has(uid)) process.kill(pid, 'SIGKILL');
	} catch (error) {
		if (!hasEnded(error)) throw error;
	}
}

/** What is asked of a process in /proc; undefined when it has ended meanwhile. */
export async function unlessEnded<T>(look: Promise<T>): Promise<T | undefined> {
	try {
		return await look;
	} catch (error) {
		if (hasEnded(error)) return undefined;
		throw error;
	}
}

function hasEnded(error: unknown): boolean {
	return isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH');
}
