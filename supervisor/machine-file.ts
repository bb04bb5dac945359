import * as z from 'zod';
import type { MachineDefinition } from '../hypervisors/contract.ts';
import { machineConfigSchema } from '../model/machine.ts';
import { nameSchema, pointTimeSchema } from '../model/names.ts';
import { plannedNicSchema } from '../model/recovery.ts';
import { readDocument, writeDocument } from './document.ts';
import type { RecoveryPlaces } from './places.ts';
import type { RecoveryState } from './state.ts';

/**
 * machine.json: whose disks these are, and how the machine is made. With `state: finished` it protects them: no
 * recovery allocates here and no mover writes here, whatever else is lost.
 */
export const machineFileSchema = z.strictObject({
	version: z.literal(1),
	recoveryId: z.uuid(),
	state: z.enum(['recovering', 'finished']),
	name: nameSchema,
	generation: z.int().min(0),
	machine: nameSchema,
	restorePoint: pointTimeSchema,
	machineName: nameSchema,
	config: machineConfigSchema,
	nics: z.array(plannedNicSchema),
	/** The paths are for people: where a directory was moved to, they still tell of the old place. */
	disks: z.array(z.strictObject({ name: z.string(), sizeBytes: z.int(), targetPath: z.string() })),
	switchPauseMs: z.number().nullable(),
});
export type MachineFile = z.infer<typeof machineFileSchema>;

export function readMachineFile(path: string): Promise<MachineFile | undefined> {
	return readDocument(path, machineFileSchema);
}

export async function writeMachineFile(
	path: string,
	state: RecoveryState,
	definition: MachineDefinition,
	stage: MachineFile['state'],
): Promise<void> {
	const { plan } = state;
	if (plan === null) throw new Error('a machine comes after its plan');
	await writeDocument(path, machineFileSchema, {
		version: 1,
		recoveryId: state.recoveryId,
		state: stage,
		name: state.name,
		generation: state.generation,
		machine: plan.machine,
		restorePoint: plan.restorePoint,
		machineName: plan.machineName,
		config: plan.config,
		nics: plan.nics,
		disks: definition.disks.map(disk => ({ ...disk })),
		switchPauseMs: state.switch.pauseMs,
	});
}

/** What the hypervisor is told of an unfinished recovery's machine. */
export function definitionOf(state: RecoveryState, places: RecoveryPlaces): MachineDefinition {
	const { plan } = state;
	if (plan === null) throw new Error('a machine comes after its plan');
	return {
		recoveryId: state.recoveryId,
		machineName: plan.machineName,
		config: plan.config,
		nics: plan.nics,
		disks: plan.disks.map((disk, index) => ({
			name: diskName(index),
			sizeBytes: targetBytes(disk.sizeBytes),
			targetPath: places.target(diskName(index)),
		})),
		directory: places.directory,
		runDirectory: places.runDirectory,
		nbdSocket: places.nbdSocket,
	};
}

/** The same of a finished machine; its own record is all that is left. */
export function definitionOfFinished(file: MachineFile, places: RecoveryPlaces): MachineDefinition {
	return {
		recoveryId: file.recoveryId,
		machineName: file.machineName,
		config: file.config,
		nics: file.nics,
		disks: file.disks.map(({ sizeBytes }, index) => ({
			name: diskName(index),
			sizeBytes,
			targetPath: places.target(diskName(index)),
		})),
		directory: places.directory,
		runDirectory: places.runDirectory,
		nbdSocket: places.nbdSocket,
	};
}

export function diskName(index: number): string {
	return `disk${index}`;
}

/** Targets and overlays are whole sectors; the tail reads zero. */
export function targetBytes(sizeBytes: number): number {
	return Math.ceil(sizeBytes / 512) * 512;
}
