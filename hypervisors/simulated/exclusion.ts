import { readFileSync, readlinkSync, symlinkSync, unlinkSync } from 'node:fs';
import { RouseError } from '../../model/errors.ts';
import { isErrno } from '../../system/durable-file.ts';

/** What is done under the lock takes microseconds: whoever cannot have it for this long will never have it. */
const patienceMs = 5_000;

/**
 * Does `work`, which must not wait, while no other process does anything under this lock. The lock is a symbolic link
 * that names its holder, since making one is atomic and Node has no flock(2); a dead holder's is taken away.
 */
export function exclusively<T>(path: string, work: () => T): T {
	take(path);
	try {
		return work();
	} finally {
		unlinkSync(path);
	}
}

const me = `${process.pid} ${startTicks(process.pid)}`;

function take(path: string): void {
	const deadline = performance.now() + patienceMs;
	while (!link(path)) {
		const holder = holderOf(path);
		if (holder !== undefined && !lives(holder)) takeAway(path, holder);
		else if (performance.now() > deadline)
			throw new RouseError('hypervisor_stuck', `${path} is held by process ${holder ?? 'unknown'}`);
		else Atomics.wait(nothing, 0, 0, 1);
	}
}

/** Nobody ever wakes who waits on it. */
const nothing = new Int32Array(new SharedArrayBuffer(4));

/**
 * Two that found the same dead holder must not take away each other's lock: they go one after the other, and look again.
 * By a lock like this one, since who takes it away can be killed as well.
 */
function takeAway(path: string, dead: string): void {
	exclusively(`${path}.takeover`, () => {
		if (holderOf(path) === dead) unlinkSync(path);
	});
}

function link(path: string): boolean {
	try {
		symlinkSync(me, path);
		return true;
	} catch (error) {
		if (isErrno(error, 'EEXIST')) return false;
		throw error;
	}
}

function holderOf(path: string): string | undefined {
	try {
		return readlinkSync(path);
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
}

function lives(holder: string): boolean {
	const [pid, ticks] = holder.split(' ');
	return startTicks(Number(pid)) === ticks;
}

/**
 * Fields 3 and 22 of proc_pid_stat(5): the state, and the start, which with the pid names one process for good. Undefined
 * when there is none, or only a zombie: it has ended, and may be the child of the very process that waits here.
 */
function startTicks(pid: number): string | undefined {
	try {
		const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
		const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
		return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
	} catch (error) {
		if (isErrno(error, 'ENOENT') || isErrno(error, 'ESRCH')) return undefined;
		throw error;
	}
}
