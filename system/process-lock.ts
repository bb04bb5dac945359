import type { BigIntStats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
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
	let file: FileIdentity;
	try {
		file = await stat(path, { bigint: true });
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	// The kernel tells its list a page at a time and finds its place again by counting, so that a lock that goes meanwhile
	// hides another one. Of a list longer than that, "nobody" counts when it was seen twice.
	for (let looks = 0; looks < 2; looks++) {
		const list = await readFile('/proc/locks', 'latin1');
		for (const flock of flocksOn(list, file.ino)) {
			const holder = await holderOf(flock, file);
			if (holder) return holder;
		}
		if (list.length < pageBytes) break;
	}
	return undefined;
}

type FileIdentity = Pick<BigIntStats, 'dev' | 'ino'>;

/** A held lock, as /proc/locks names it. */
export interface Flock {
	pid: number;
	/** Of the file system, which on btrfs and overlayfs is another number than `stat().dev` of the files in it. */
	device: bigint;
}

/** The smallest page Linux has: what one read of a file in /proc gives at most. */
const pageBytes = 4096;

/** Locks held on files with this inode number. Format: proc_locks(5). A waiter's line has `->` after its number. */
export function flocksOn(procLocks: string, inode: bigint): Flock[] {
	const found: Flock[] = [];
	for (const line of procLocks.split('\n')) {
		const [, type, , , pid, id] = line.split(/\s+/);
		if (type !== 'FLOCK' || !id?.endsWith(`:${inode}`)) continue;
		const [major, minor] = id.split(':').map(part => BigInt(`0x${part}`));
		if (major === undefined || minor === undefined) throw new Error(`/proc/locks has the line "${line}"`);
		found.push({ pid: Number(pid), device: deviceNumber(major, minor) });
	}
	return found;
}

/** As stat(2) gives it: makedev(3) of glibc. */
function deviceNumber(major: bigint, minor: bigint): bigint {
	return ((major & ~0xfffn) << 32n) | ((major & 0xfffn) << 8n) | ((minor & ~0xffn) << 12n) | (minor & 0xffn);
}

/** Who holds this lock, provided that it is one on this file. */
export async function holderOf({ pid, device }: Flock, file: FileIdentity): Promise<LockHolder | undefined> {
	const status = await processStatus(pid);
	if (status === undefined) return undefined;
	// Also a zombie: of a process that was killed the first thread can be one while others still end, and until the last
	// has, the lock is held. Its files cannot be looked at any more; the inode's number has to do.
	const isOurs = device === file.dev || status.ended || (await hasOpen(pid, file));
	return isOurs ? { pid, startTicks: status.startTicks } : undefined;
}

/** Whether a process has the file open. What one may not look at belongs to another user and holds no lock of ours. */
async function hasOpen(pid: number, file: FileIdentity): Promise<boolean> {
	const folder = `/proc/${pid}/fd`;
	for (const name of await unlessGone(readdir(folder), [])) {
		const open = await unlessGone(stat(`${folder}/${name}`, { bigint: true }), undefined);
		if (open?.ino === file.ino && open.dev === file.dev) return true;
	}
	return (await processStatus(pid))?.ended === true; // it may have begun to end meanwhile
}

async function unlessGone<T, F>(look: Promise<T>, otherwise: F): Promise<T | F> {
	try {
		return await look;
	} catch (error) {
		if (['ENOENT', 'ESRCH', 'EACCES'].some(code => isErrno(error, code))) return otherwise;
		throw error;
	}
}

/** Start time of a live process (not a zombie), or undefined. */
export async function processStartTicks(pid: number): Promise<string | undefined> {
	const status = await processStatus(pid);
	return status && !status.ended ? status.startTicks : undefined;
}

/** `ended`: a zombie, of whom its parent has not taken note yet. Undefined for none, or where /proc hides it. */
export async function processStatus(pid: number): Promise<{ startTicks: string; ended: boolean } | undefined> {
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
