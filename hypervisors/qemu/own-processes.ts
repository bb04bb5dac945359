/**
 * A QEMU that its guest has taken over can close the lock by which we know it. Where it runs as a user of its own it is
 * found by that user, and nothing of it outlives an order that ends the machine.
 */
import { readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { killIfOf, processesOf, unlessEnded } from '../../system/processes-of-user.ts';
import { runTool } from '../../system/run-tool.ts';
import type { UserRange } from '../../system/user-range.ts';

/** A user all of whose processes may be ended: made only of one that is reserved for machines. */
export class ReservedUser {
	readonly uid: number;

	private constructor(uid: number) {
		this.uid = uid;
	}

	/** Undefined for root and everybody outside of the range; and where Rouse is not root, so that nobody is reserved. */
	static within(range: UserRange, uid: number): ReservedUser | undefined {
		if (range === 'none' || uid === 0 || process.getuid?.() !== 0) return undefined;
		return uid >= range.first && uid < range.first + range.count ? new ReservedUser(uid) : undefined;
	}
}

/**
 * Ends all processes of the user of the machine whose lock this is, which nobody holds; one of another installation that is a
 * copy of this has the same user, and is spared as long as it holds the lock of its own machine. `hypervisor_stuck` when
 * there are some after `timeoutMs`.
 */
export async function endProcessesOf(user: ReservedUser, lock: string, { timeoutMs = 5_000 } = {}): Promise<void> {
	const deadline = performance.now() + timeoutMs;
	for (;;) {
		const others = await machinesOfOthers(await processesOf(user.uid), lock);
		// Also when the list is empty: one that forks and ends all the time need not be on it.
		if (others.length === 0) await killAllAs(user);
		const left = (await processesOf(user.uid)).filter(pid => !others.includes(pid));
		if (left.length === 0) return;
		if (performance.now() > deadline) throw notEnding(user, left, lock);
		// As root: one that kills whoever comes as its user does not reach us.
		for (const pid of left) killIfOf(user.uid, pid);
		await delay(5);
	}
}

/** kill(2) of -1: the kernel lets no process of the user be made while it ends all but the one that calls. */
async function killAllAs({ uid }: ReservedUser): Promise<void> {
	const as = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--no-new-privs'];
	await runTool('setpriv', [...as, '--', 'sh', '-c', 'kill -s KILL -- -1'], {
		wholeMs: 1_000,
		hint: 'apt-get install util-linux',
	}).catch(() => undefined); // ended, or not let be, by what it is to end: who is left is looked for
}

/** Those that have a file open which is named like the lock, is not this one, and could be opened by nobody but us. */
async function machinesOfOthers(pids: readonly number[], lock: string): Promise<number[]> {
	const own = await unlessEnded(stat(lock));
	const isOthers = async (path: string) => {
		const name = await unlessEnded(readlink(path));
		if (name === undefined || basename(name) !== basename(lock)) return false;
		const file = await unlessEnded(stat(path));
		if (file === undefined || file.uid !== process.getuid?.() || (file.mode & 0o077) !== 0) return false;
		return file.ino !== own?.ino || file.dev !== own.dev;
	};
	const found: number[] = [];
	for (const pid of pids) {
		const names = (await unlessEnded(readdir(`/proc/${pid}/fd`))) ?? [];
		const are = await Promise.all(names.map(name => isOthers(`/proc/${pid}/fd/${name}`)));
		if (are.includes(true)) found.push(pid);
	}
	return found;
}

function notEnding({ uid }: ReservedUser, pids: readonly number[], lock: string): RouseError {
	return new RouseError(
		'hypervisor_stuck',
		`processes of user ${uid}, as whom the machine of ${dirname(lock)} runs, do not end: ${pids.join(', ')}`,
		{ hint: `look at what they are (ps -u ${uid}); once they have ended, try again` },
	);
}
