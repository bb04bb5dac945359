import { isErrno } from './durable-file.ts';
import { processStartTicks, processStatus } from './process-lock.ts';

/** USER_HZ, in which /proc tells start times: 100 on every architecture that Node runs on. proc_pid_stat(5). */
const tickMs = 10;

/** What two ways of telling a time may differ by. */
const slackMs = 1_000;

/**
 * Whether the process that had this pid at that time, on this machine, has ended. Pids are given again, in a container mostly the
 * same one: one that was started later is another process.
 */
export async function hasEnded(pid: number, at: Date): Promise<boolean> {
	if (!isThere(pid)) return true;
	const status = await processStatus(pid);
	if (status === undefined) return false;
	const startedAt = await startOf(status.startTicks);
	// In a container there may be nobody who takes note of a process that has ended.
	return status.ended || (startedAt !== undefined && startedAt > at.getTime() + slackMs);
}

function isThere(pid: number): boolean {
	try {
		return process.kill(pid, 0);
	} catch (error) {
		if (isErrno(error, 'ESRCH')) return false;
		if (isErrno(error, 'EPERM')) return true;
		throw error;
	}
}

/** Since 1970. Counted from the start of this process, which both clocks know. */
async function startOf(ticks: string): Promise<number | undefined> {
	const ownTicks = await processStartTicks(process.pid);
	if (ownTicks === undefined) return undefined;
	return performance.timeOrigin + (Number(ticks) - Number(ownTicks)) * tickMs;
}
