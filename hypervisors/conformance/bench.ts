import type { Hypervisor, Machine, MachineDefinition } from '../contract.ts';

/**
 * What a platform gives to be tested: one machine of two or more disks, whose firmware finds nothing to boot, and ways to
 * act as its guest, as the mount mover and as fate.
 */
export interface Bench {
	hypervisor: Hypervisor;
	/** Two disks or more, each a few MiB; targets are there and read zero until `restore`. */
	definition: MachineDefinition;
	/** What each disk holds at first, as the mount mover serves it; not zero. */
	base: readonly Buffer[];
	mover: {
		start(): Promise<void>;
		stop(): Promise<void>;
	};
	/** Fills the targets with the base: the work of the migration mover. */
	restore(): Promise<void>;
	/** What the target holds; asked only while nothing of the machine runs, or before a switch. */
	target(disk: number): Promise<Buffer>;
	guest: BenchGuest;
	fate: {
		/** Ends whatever of the platform runs for this machine, as a crash would. */
		kill(): Promise<void>;
		/** The machine does not answer any more, until `thaw`. */
		freeze(): Promise<void>;
		thaw(): Promise<void>;
	};
	/** Tells one start of the machine from another; undefined when nothing runs. */
	instance(): Promise<string | undefined>;
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
	const machine = bench.hypervisor.machine(bench.definition);
	try {
		return await call(machine);
	} finally {
		await machine.close();
	}
}
