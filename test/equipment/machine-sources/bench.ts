import type { MachineSource } from '../../../sources/machine/contract.ts';

/**
 * What a kind of machine source gives to be tested: one machine of two disks or more, each a few MiB at most and not all zero, and
 * ways to act as its guest, as its owner and as fate. What a platform has no such thing for is absent, and not asked.
 */
export interface SourceBench {
	/**
	 * As a process has it that knows nothing of the others. `diesAt`: it throws when it comes to that place of `begin`, and does nothing
	 * from then on, as if it were killed.
	 */
	open(options?: { diesAt?: string }): MachineSource;
	/** Places within `begin` that a process can die at, in their order. */
	places: readonly string[];
	/** Of a platform on which a state of a disk stays by itself: nothing of ours is ever there. */
	keepsNothing?: true;
	/** The platform keeps nothing from one import to the next: what changed is told by comparing with the base. */
	keepsNoCheckpoint?: true;
	/** Nothing of these may be in what crosses processes. */
	secrets: readonly string[];
	guest: {
		/** Anything, at multiples of 512 bytes; it is on the disk when this returns. */
		write(key: string, offsetBytes: number, bytes: Buffer): Promise<void>;
		/** What the disk holds now. */
		content(key: string): Promise<Buffer>;
	};
	owner: {
		/** Adds a disk, so that the machine has others than it had. */
		addDisk?(): Promise<void>;
		/** Another machine is at the address from now on. */
		replaceMachine?(): Promise<void>;
		/** Somebody else is at work on the machine, in the way of a moment. */
		beBusy?(): Promise<void>;
	};
	fate: {
		/** All that the platform has kept to tell what changed is gone. */
		loseCheckpoints?(): Promise<void>;
		/** All that is being read is gone. */
		loseMoments?(): Promise<void>;
	};
	dispose(): Promise<void>;
}

export type MakeSourceBench = () => Promise<SourceBench>;

export interface SourceCase {
	/** States the fact that holds when it passes. */
	name: string;
	run(bench: SourceBench): Promise<void>;
}
