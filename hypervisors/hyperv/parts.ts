/** What everything that acts on a machine on Hyper-V is handed. */
import type { CallOptions, MachineDefinition, MoverGate, SwitchCalls } from '../contract.ts';
import type { Driver, Pipes } from './driver/driver.ts';
import type { HypervHardware } from './hardware.ts';
import type { InTurn } from './in-turn.ts';
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
	/** For people who look into it. */
	seen: { notMerged: string | undefined };
}

export interface Call {
	parts: MachineParts;
	gate: MoverGate;
	options: CallOptions;
}

export interface SwitchCall extends Call {
	calls: SwitchCalls;
}
