import { readdir } from 'node:fs/promises';
import { getPriority, setPriority } from 'node:os';

/** Half of the way to the lowest: it still gets a share of a busy host, but a small one. */
const niceness = 10;

/**
 * The guest comes first: it computes on the same cores as this process, which decompresses as fast as it is let. On Linux
 * niceness belongs to a thread, and a new thread gets its maker's (setpriority(2), "C library/kernel differences"), so
 * all that exist are lowered: Node has made several by the time this runs. One that is as low already, because whoever
 * started us is, stays: only root may raise it, anybody else would be refused.
 */
export async function lowerPriority(): Promise<void> {
	for (const thread of (await readdir('/proc/self/task')).map(Number))
		if (getPriority(thread) < niceness) setPriority(thread, niceness);
}
