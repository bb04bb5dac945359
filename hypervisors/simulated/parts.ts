/** What everything that acts on a simulated machine is handed. */
import type { CallOptions, MachineDefinition, MachineDisk, MoverGate, SwitchCalls } from '../contract.ts';
import type { Chain } from '../../model/recovery.ts';
import type { Clock } from '../../system/clock.ts';
import type { DiskStack } from './disk-stack.ts';
import type { SimulatedFaults } from './faults.ts';
import type { MachineMemory } from './memory.ts';
import type { MachinePaths } from './paths.ts';
import type { ReadBase } from './read-base.ts';
import type { Running, RunningDisk } from './run-state.ts';

/** What all machines of a simulated host share. */
export interface HostSettings {
	/** Durable files of the host itself. */
	directory: string;
	manner: Manner;
	readBase: ReadBase;
	faults: SimulatedFaults;
	clock: Pick<Clock, 'now' | 'delay'>;
	/** The way of running a machine that asks less of the host, when there is one. */
	fallBack: string | undefined;
	networks: readonly string[];
	/** MAC addresses that somebody else has on each of them. */
	macsInUse: readonly string[];
	memoryMiB: number;
	cpus: number;
	/** Of it what is free: a machine that is files takes none. */
	freeMiB(): number;
	/** Of it what this machine is said to have touched. */
	takenMiB(machineName: string): number;
	/** Of the datastore. */
	freeBytes(): Promise<number>;
	/** How long a machine that does not answer is waited for. */
	stuckMs: number;
}

/** One machine, as everything that acts on it is handed it. */
export interface MachineParts {
	settings: HostSettings;
	definition: MachineDefinition;
	paths: MachinePaths;
	memory: MachineMemory;
	running: Running;
	/** One a disk. */
	stacks: readonly DiskStack[];
	/** Of a machine that is removed nothing stays in memory. */
	forget(): void;
}

export interface Call {
	parts: MachineParts;
	gate: MoverGate;
	options: CallOptions;
}

export interface SwitchCall extends Call {
	calls: SwitchCalls;
}

/** The manner of a platform: what a simulated host does as QEMU does it, or as Hyper-V does. */
export interface Manner {
	readonly targets: TargetFormat;
	/** A machine whose guest stands still, or resets itself, with reads in hand answers nobody until they were answered. */
	readonly readsHoldCalls: boolean;
	/** A machine whose guest has powered itself off stays, with its disks. */
	readonly staysWhenOff: boolean;
	/** Every place that `reached` is called with in a switch of a machine that runs, in order. */
	readonly switchPlaces: readonly string[];
	/** The base was probed. */
	presentBase(call: Call): Promise<void>;
	/** Nothing runs, and something will on this chain: makes its disks ready, and says how they are. */
	prepareStart(call: Call, chain: Chain): Promise<RunningDisk[]>;
	switchToTarget(call: SwitchCall): Promise<{ pauseMs: number }>;
	/** What is left to do of a machine that was switched. */
	settle(parts: MachineParts): Promise<void>;
}

export interface TargetFormat {
	/** Where the disk begins in the target's file. */
	readonly offsetBytes: number;
	/** What the file begins with. */
	header(definition: MachineDefinition, disk: MachineDisk): string;
	/** Throws `identity_conflict` unless the file is there, and the target of this disk. Returns its identity. */
	identityOf(parts: MachineParts, disk: MachineDisk): Promise<string>;
	/** Where the movers open it, on this boot of the host. */
	present(parts: MachineParts, disk: MachineDisk, boot: number): Promise<string>;
	/** The movers' way to the targets is gone. */
	release(parts: MachineParts): Promise<void>;
}
