/**
 * A read that the mount mover holds, or that waits for a dead one, freezes QEMU with all its monitors (measured with 7.2:
 * `stop`, `system_reset`, `quit`, `blockdev-reopen`). So every call that stands still until the machine's reads are answered
 * goes through the mover gate, which has them failed in the end: `rerror=stop` keeps the requests, and `cont` asks again.
 *
 * In milliseconds, how long reads may take before they are failed.
 */
export const patience = {
	/**
	 * While QEMU starts it reads the first sector, to guess the disk's geometry, and stands still until it has it. That read
	 * is failed late, since a guess without it may differ; but before QEMU's own monitor is given up (launch.ts, 45 s).
	 */
	start: 30_000,
	/** A guest that has powered itself off is reset, and that waits for reads like any other reset. */
	startAgain: 2_000,
	/** Reads that wait were failed before; these are of a guest that goes on asking. */
	resetOrShutdown: 1_000,
	resume: 2_000,
	/** Of the whole switch, most of which waits for none: with all blocks restored a read is answered at once. */
	switch: 5_000,
	/** With all blocks restored no read waits for the repository; one that began before is answered within this time. */
	lingeringReads: 2_000,
} as const;
