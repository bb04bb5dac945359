import { join } from 'node:path';
import type { MachineDefinition, MachineDisk } from '../contract.ts';

/** The files of one simulated machine. All but the targets are gone after `remove`. */
export interface MachinePaths {
	/** Durable: whose machine this is, and what lasts of it; record.ts. */
	record: string;
	/** For a person, after the switch. */
	start: string;
	overlay(disk: MachineDisk): string;
	target(disk: MachineDisk): string;
	/** What is gone with the machine's power: run-state.ts. */
	run: string;
	/** Whoever changes what runs is alone: exclusion.ts. */
	lock: string;
	unflushed(disk: MachineDisk): string;
	/** The base is presented for the next start. */
	presented: string;
	/** How the movers see a target, on this boot of the host. */
	device(disk: MachineDisk, boot: number): string;
}

export function machinePaths({ directory, runDirectory }: MachineDefinition): MachinePaths {
	return {
		record: join(directory, 'simulated.json'),
		start: join(directory, 'start.json'),
		overlay: disk => join(directory, `${disk.name}.overlay`),
		target: disk => join(directory, `${disk.name}.target`),
		run: join(runDirectory, 'machine.json'),
		lock: join(runDirectory, 'machine.lock'),
		unflushed: disk => join(runDirectory, `${disk.name}.unflushed`),
		presented: join(runDirectory, 'presented.json'),
		device: (disk, boot) => join(runDirectory, `device-${boot}-${disk.name}`),
	};
}
