/** What Linux counts of a block device: https://www.kernel.org/doc/Documentation/admin-guide/iostats.rst. Pure. */

export interface DiskStatistics {
	name: string;
	/** Reads and writes that have ended, and how long they took together. */
	operations: number;
	operationsMs: number;
	/** For how long it had something to do. */
	busyMs: number;
}

/** Of one device in /proc/diskstats; undefined when it is not there, as what is behind NFS, Btrfs or overlayfs. */
export function statisticsOf(
	diskstats: string,
	{ major, minor }: { major: number; minor: number },
): DiskStatistics | undefined {
	for (const line of diskstats.split('\n')) {
		const [itsMajor, itsMinor, name = '', ...counts] = line.trim().split(/\s+/);
		if (Number(itsMajor) !== major || Number(itsMinor) !== minor) continue;
		const count = (index: number) => Number(counts[index] ?? 0);
		return { name, operations: count(0) + count(4), operationsMs: count(3) + count(7), busyMs: count(9) };
	}
	return undefined;
}

/** Fewer say nothing: one that wakes a disk up takes long, and slows nobody. */
const fewest = 10;

/**
 * How long an operation took between two looks, in the mean. What is stuck ends no operation: then it is all the time. Null
 * when the counts were started anew, or one of them came to its end: those of milliseconds have 32 bits, 49 days.
 */
export function meanMs(before: DiskStatistics, now: DiskStatistics, passedMs: number): number | null {
	const operations = now.operations - before.operations;
	const operationsMs = now.operationsMs - before.operationsMs;
	const busyMs = now.busyMs - before.busyMs;
	if (operations < 0 || operationsMs < 0 || busyMs < 0) return null;
	if (operations >= fewest) return operationsMs / operations;
	return busyMs > 0.9 * passedMs ? passedMs / Math.max(1, operations) : 0;
}

/** Numbers of a device as stat(2) gives them: glibc's gnu_dev_major and gnu_dev_minor. */
export function deviceNumbers(device: bigint): { major: number; minor: number } {
	return {
		major: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xffff_f000n)),
		minor: Number((device & 0xffn) | ((device >> 12n) & 0xffff_ff00n)),
	};
}
