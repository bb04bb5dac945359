import { join } from 'node:path';
import { checkSocketPath } from '../../system/socket-path.ts';
import type { MachineDefinition, MachineDisk } from '../contract.ts';

/** For a person's programs; of the monitors this one is theirs. */
export interface MachineSockets {
	console: string;
	vnc: string;
	qmp: string;
	/** The guest's end is its agent's. */
	agent: string;
}

/** The files of one machine on QEMU. All but the targets are gone after `remove`. */
export interface MachinePaths {
	/** The disk that is filled, and in the end is the machine's. */
	target(disk: MachineDisk): string;
	/** Whose machine this is, while it is recovered; see record.ts. */
	record: string;
	/** Held by QEMU as long as it lives. */
	lock: string;
	/** QEMU's own: a second instance must die before it can take the sockets. */
	pid: string;
	/** QEMU's standard output and error. */
	log: string;
	/** UEFI variables; kept. */
	vars: string;
	/** The script for a person, after the switch. */
	start: string;
	/** A picture of its screen, for as long as it is made. */
	screenshot: string;
	overlay(disk: MachineDisk): string;
	sockets: MachineSockets;
	/** The supervisor's own monitor: a monitor serves one client. */
	supervisorMonitor: string;
}

export function machinePaths({ directory, runDirectory }: MachineDefinition): MachinePaths {
	return {
		target: disk => join(directory, `${disk.name}.raw`),
		record: join(directory, 'qemu.json'),
		lock: join(directory, 'machine.lock'),
		pid: join(directory, 'qemu.pid'),
		log: join(directory, 'machine.log'),
		vars: join(directory, 'vars.fd'),
		start: join(directory, 'start'),
		screenshot: join(runDirectory, 'screen.png'),
		overlay: disk => join(directory, `${disk.name}.overlay.qcow2`),
		sockets: {
			console: join(runDirectory, 'console.sock'),
			vnc: join(runDirectory, 'vnc.sock'),
			qmp: join(runDirectory, 'qmp.sock'),
			agent: join(runDirectory, 'agent.sock'),
		},
		supervisorMonitor: join(runDirectory, 'supervisor.qmp'),
	};
}

export function checkSocketPaths(paths: MachinePaths): void {
	for (const path of [...Object.values(paths.sockets), paths.supervisorMonitor]) checkSocketPath(path);
}
