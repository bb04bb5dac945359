import type { MachineDefinition } from '../contract.ts';
import type { Clock } from '../../system/clock.ts';
import type { ReadBase } from './base.ts';
import type { DiskStack } from './disk-stack.ts';
import type { SimulatedFaults } from './faults.ts';
import type { MachineMemory } from './memory.ts';
import type { MachinePaths } from './paths.ts';
import type { Running } from './run-state.ts';
import type { Temperament } from './temperament.ts';

/** What all machines of a simulated host share. */
export interface HostSettings {
	/** Durable files of the host itself. */
	directory: string;
	temperament: Temperament;
	readBase: ReadBase;
	faults: SimulatedFaults;
	clock: Pick<Clock, 'now' | 'delay'>;
	/** The way of running a machine that asks less of the host, when there is one. */
	fallBack: string | undefined;
	networks: readonly string[];
	memoryMiB: number;
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
