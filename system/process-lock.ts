import { readFile, stat } from 'node:fs/promises';
import { isErrno } from './durable-file.ts';

/**
 * A process is known by the lock it holds, never by a pid that was written down: flock(1) takes the lock before the
 * program starts and the kernel lets it go when the program ends, however it ends. Whether it is held is read from
 * /proc/locks; trying to take it could make a program that is just starting fail.
 */
export interface LockHolder {
	pid: number;
	/** Start time in clock ticks since boot: with the pid it names one process for good. */
	startTicks: string;
}

/** The process that holds the flock on this file, or undefined when nobody does (or the file is not there). */
export async function lockHolder(path: string): Promise<LockHolder | undefined> {
	let inode: bigint;
	let device: bigint;
	try {
		({ ino: inode, dev: device } = await stat(path, { bigint: true }));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	const pid = findHolder(await readFile('/proc/locks', 'latin1'), device, inode);
	if (pid === undefined) return undefined;
	// Also of a zombie: of a process that was killed the first thread can be one while others still end, and until the
	// last has, the lock is held.
	const status = await processStatus(pid);
	return status && { pid, startTicks: status.startTicks };
}

/** Format of a line: proc_locks(5). A waiter's line has `->` after its number and is not a holder. */
export function findHolder(procLocks: string, device: bigint, inode: bigint): number | undefined {
	const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn);
	const minor = (device & 0xffn) | ((device >> 12n) & ~0xffn);
	const hex = (n: bigint) => n.toString(16).padStart(2, '0');
	const wanted = `${hex(major)}:${hex(minor)}:${inode}`;
	for (const line of procLocks.split('\n')) {
		const [, type, , , pid, id] = line.split(/\s+/);
		if (type === 'FLOCK' && id === wanted) return Number(pid);
	}
	return undefined;
}

/** Start time of a live process (not a zombie), or undefined. */
export async function processStartTicks(pid: number): Promise<string | undefined> {
	const status = await processStatus(pid);
	return status && !status.ended ? status.startTicks : undefined;
}

async function processStatus(pid: number): Promise<{ startTicks: string; ended: boolean } | undefined> {
	try {
		const text = await readFile(`/proc/${pid}/stat`, 'latin1');
		// The command's name is in parentheses and may hold anything: fields are counted from the last ")".
		const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
		const startTicks = fields[19];
		if (startTicks === undefined) throw new Error(`/proc/${pid}/stat has ${fields.length} fields`);
		return { startTicks, ended: fields[0] === 'Z' || fields[0] === 'X' };
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
		throw error;
	}
}

/**
 * Sends a signal to whoever holds the lock, after looking twice that it is the same process. False when nobody holds it.
 */
export async function signalHolder(path: string, signal: NodeJS.Signals): Promise<boolean> {
	const holder = await lockHolder(path);
	if (holder === undefined) return false;
	const again = await lockHolder(path);
	if (again?.pid !== holder.pid || again.startTicks !== holder.startTicks) return false;
	try {
		process.kill(holder.pid, signal);
		return true;
	} catch (error) {
		if (isErrno(error, 'ESRCH')) return false;
		throw error;
	}
}
