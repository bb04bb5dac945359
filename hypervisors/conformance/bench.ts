import type { Machine, MachineDefinition, MoverGate, Platform } from '../contract.ts';

/**
 * What a platform gives to be tested: one machine of two or more disks, whose firmware finds nothing to boot, and ways to
 * act as its guest, as the movers and as fate.
 */
export interface Bench {
	platform: Platform;
	/** Two disks or more, each a few MiB. */
	definition: MachineDefinition;
	/** What each disk holds at first, as the mount mover serves it; not zero. */
	base: readonly Buffer[];
	mover: {
		start(): Promise<void>;
		stop(): Promise<void>;
	};
	/** What the disk's chain holds in the end: the machine's disk, whatever it consists of. Asked only while it is off. */
	content(disk: number): Promise<Buffer>;
	guest: BenchGuest;
	fate: {
		/** The machine ends as in a crash: all that its guest did not flush is gone. */
		kill(): Promise<void>;
		/** The machine does not answer any more, until `thaw`. */
		freeze(): Promise<void>;
		thaw(): Promise<void>;
		/** The host is started anew: nothing runs, run directories are empty, paths of devices may have changed. */
		reboot(): Promise<void>;
		/** The disk's target is gone. */
		loseTarget(disk: number): Promise<void>;
	};
	/** Stays the same as long as one boot of the guest lasts; undefined when it does not run. */
	boot(): Promise<string | undefined>;
	/** All that is there of the machine but its targets: files, processes, sockets. */
	leftovers(): Promise<string[]>;
	dispose(): Promise<void>;
}

/** Through the same block layer as the guest's own requests. Refused (false) while the guest does not run. */
export interface BenchGuest {
	/** Writes and flushes; with pattern 0 it writes zeros and unmaps. */
	write(disk: number, write: GuestWrite): Promise<boolean>;
	/** Whether the range reads as this one byte. */
	reads(disk: number, write: GuestWrite): Promise<boolean>;
	/** The guest powers itself off. */
	powersOff(): Promise<void>;
}

export interface GuestWrite {
	offsetBytes: number;
	lengthBytes: number;
	pattern: number;
}

export type MakeBench = () => Promise<Bench>;

export interface ConformanceCase {
	/** States the fact that holds when it passes. */
	name: string;
	run(bench: Bench): Promise<void>;
}

/** One call on a new object, as the next supervisor would make it, which is gone afterwards. */
export async function anew<T>(bench: Bench, call: (machine: Machine) => Promise<T>): Promise<T> {
	const machine = bench.platform.machine(bench.definition, gateOf(bench));
	try {
		return await call(machine);
	} finally {
		await machine.close();
	}
}

/** A mover that answers at once: what waits for it is another test's affair. */
export function gateOf({ mover }: Pick<Bench, 'mover'>): MoverGate {
	return {
		clear: () => mover.start(),
		pass: work => work(),
		free: async () => false,
		reopen: async () => {
			await mover.stop();
			await mover.start();
		},
	};
}
