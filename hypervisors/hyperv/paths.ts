import { join } from 'node:path';
import type { MachineDefinition, MachineDisk } from '../contract.ts';

/** The files of one machine: here, and on the Windows host. */
export interface MachinePaths {
	/** Durable, record.ts: whose machine this is, and what lasts of it. */
	record: string;
	/** The same of its targets, which outlive it. */
	targetRecord: string;
	/** Of the iSCSI target; gone after a boot. */
	iscsi: string;
	windows: WindowsPaths;
}

export interface WindowsPaths {
	directory: string;
	/** Where the volume is seen while it is connected. */
	base: string;
	target(disk: MachineDisk): string;
	/** Of a machine whose overlays are children: Windows names those by checkpoint itself. */
	overlay(disk: MachineDisk): string;
	/** With overlays by checkpoint what Windows knows for the machine's disk: an empty placeholder, later the target. */
	place(disk: MachineDisk): string;
	/** The placeholder, while the target is in its place. */
	kept(disk: MachineDisk): string;
	/** On the volume. */
	baseFile(disk: MachineDisk): string;
	/** Of its first serial port. */
	pipe: string;
}

export function machinePaths(definition: MachineDefinition, datastore: string): MachinePaths {
	const { directory, runDirectory } = definition;
	return {
		record: join(directory, 'hyperv.json'),
		targetRecord: join(directory, 'hyperv-targets.json'),
		iscsi: join(runDirectory, 'iscsi'),
		windows: windowsPaths(definition, datastore),
	};
}

function windowsPaths({ machineName, recoveryId, disks }: MachineDefinition, datastore: string): WindowsPaths {
	// Two recoveries of one machine have one name, and may meet on a datastore.
	const own = `${machineName}-${recoveryId.slice(0, 8)}`;
	const directory = `${datastore.replace(/\\+$/, '')}\\${own}`;
	const number = (disk: MachineDisk) => disks.findIndex(({ name }) => name === disk.name);
	return {
		directory,
		base: `${directory}\\base`,
		target: disk => `${directory}\\target${number(disk)}.vhdx`,
		overlay: disk => `${directory}\\overlay${number(disk)}.vhdx`,
		place: disk => `${directory}\\disk${number(disk)}.vhdx`,
		kept: disk => `${directory}\\disk${number(disk)}.placeholder.vhdx`,
		baseFile: disk => `${directory}\\base\\disk${number(disk)}.vhdx`,
		pipe: `\\\\.\\pipe\\rouse-${recoveryId.slice(0, 8)}`,
	};
}
