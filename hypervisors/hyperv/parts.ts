/** What everything that acts on a machine on Hyper-V is handed. */
import type { CallOptions, MachineDefinition, MoverGate, SwitchCalls } from '../contract.ts';
import type { Driver, Pipes } from './driver/driver.ts';
import type { HypervHardware } from './hardware.ts';
import type { InTurn } from './in-turn.ts';
import type { PlannedOverlay } from './overlay-of-host.ts';
import type { MachinePaths } from './paths.ts';
import type { DeviceRoots } from './scsi-disks.ts';

/** What all machines of one Hyper-V host share. */
export interface HostSettings {
	driver: Driver;
	pipes: Pipes;
	/** A directory of Windows, under which each machine has its own. */
	datastore: string;
	/** The virtual machine that we run in, by its id on the host. */
	appliance: string;
	/** On which the iSCSI targets are reached: the host has nothing else of us. */
	address: string;
	roots: DeviceRoots;
	/** Of machines that are planned from here on. */
	overlay(this: void, options: CallOptions): Promise<PlannedOverlay>;
	/** How long a look at a machine may take, which waits for no disk: a host that takes longer hangs. */
	lookMs: number;
}

export interface MachineParts {
	settings: HostSettings;
	definition: MachineDefinition;
	hardware: HypervHardware;
	paths: MachinePaths;
	/** Who attaches targets to the appliance is alone with who takes them away. */
	targetsInTurn: InTurn;
	seen: MachineMemory;
}

/** Of this process alone. */
export interface MachineMemory {
	/** For people who look into it. */
	notMerged: string | undefined;
	/**
	 * `presented`: Windows was seen to have the volume, and nothing has spoken against it since. `anew`: its target was started
	 * anew, and Windows has not been seen to have it since.
	 */
	base: 'unknown' | 'anew' | 'presented';
}

export const freshMemory = (): MachineMemory => ({ notMerged: undefined, base: 'unknown' });

export interface Call {
	parts: MachineParts;
	gate: MoverGate;
	options: CallOptions;
}

export interface SwitchCall extends Call {
	calls: SwitchCalls;
}
