import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { olderLog } from '../../system/bounded-log.ts';
import { isErrno, removeFileDurably, temporarySuffix } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import { removeOverlays } from './overlay.ts';
import type { MachinePaths } from './paths.ts';

/** What is left of a QEMU that was ended. */
export async function removeRunFiles({ sockets, supervisorMonitor, pid, screenshot }: MachinePaths): Promise<void> {
	for (const path of [...Object.values(sockets), supervisorMonitor, pid, screenshot])
		await rm(path, { force: true, recursive: true }); // whatever a QEMU that was taken over has left there
}

/** Everything of a machine that does not run but its targets. */
export async function removeMachineFiles(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	await removeRunFiles(paths);
	await removeOverlays(definition, paths);
	const { vars, start, log, lock, record } = paths;
	// The record last: it says whose the rest is.
	for (const path of [vars, start, log, olderLog(log), lock, ...(await temporaryFiles(definition, paths)), record])
		await removeFileDurably(path);
}

/** What a crash left of files that this machine publishes. */
async function temporaryFiles({ directory, disks }: MachineDefinition, paths: MachinePaths): Promise<string[]> {
	const { record, vars, start } = paths;
	const ours = [record, vars, start, ...disks.map(disk => paths.overlay(disk))].map(path => basename(path));
	try {
		return (await readdir(directory))
			.filter(name => name.endsWith(temporarySuffix) && ours.some(own => name.startsWith(`${own}.`)))
			.map(name => join(directory, name));
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return [];
		throw error;
	}
}
