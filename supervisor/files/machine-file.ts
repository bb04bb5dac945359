import * as z from 'zod';
import type { MachineDefinition } from '../../hypervisors/contract.ts';
import { wholeSectors } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { type Hardware, hardwareSchema } from '../../model/hardware.ts';
import { machineConfigSchema } from '../../model/machine.ts';
import { nameSchema, pointTimeSchema } from '../../model/names.ts';
import { allocateSchema, plannedNicSchema, type RecoveryPlan } from '../../model/recovery.ts';
import { readDocument, writeDocument } from './document.ts';
import type { RecoveryPlaces } from './places.ts';
import type { RecoveryState } from './state.ts';

/**
 * machine.json: whose disks these are, and how the machine is made. With `state: finished` it protects them: no
 * recovery allocates here and no mover writes here, whatever else is lost.
 */
const machineFileSchema = z.strictObject({
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
	hardware: hardwareSchema,
	allocate: allocateSchema,
	/** The paths are for people: where a directory was moved to, they still tell of the old place. */
	disks: z.array(z.strictObject({ name: z.string(), sizeBytes: z.int(), path: z.string() })),
	switchPauseMs: z.number().nullable(),
	/** As it was last wished for, and the boot of the host at which it was wished on. */
	power: z.strictObject({ desired: z.enum(['on', 'off']), bootId: z.string().nullable() }),
});
export type MachineFile = z.infer<typeof machineFileSchema>;

export function readMachineFile(path: string): Promise<MachineFile | undefined> {
	return readDocument(path, machineFileSchema);
}

/** `paths`: where the targets are, one a disk. */
export async function writeMachineFile(
	path: string,
	state: RecoveryState,
	stage: MachineFile['state'],
	paths: readonly string[],
): Promise<void> {
	const plan = planOf(state);
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
		hardware: hardwareOf(state),
		allocate: plan.allocate,
		disks: disksOf(plan.disks.map(({ sizeBytes }) => sizeBytes)).map(({ name, sizeBytes }, index) => ({
			name,
			sizeBytes,
			path: paths[index] ?? '',
		})),
		switchPauseMs: state.switch.pauseMs,
		power: { desired: state.power.desired, bootId: state.power.bootId },
	});
}

/** The wish is durable before it is carried out. */
export async function writePower(path: string, file: MachineFile, power: MachineFile['power']): Promise<MachineFile> {
	const changed = { ...file, power };
	await writeDocument(path, machineFileSchema, changed);
	return changed;
}

/** What the platform is told of an unfinished recovery's machine. */
export function definitionOf(state: RecoveryState, places: RecoveryPlaces): MachineDefinition {
	const { machineName, config, nics, disks, allocate } = planOf(state);
	return {
		recoveryId: state.recoveryId,
		machineName,
		config,
		hardware: hardwareOf(state).data,
		nics,
		disks: disksOf(disks.map(({ sizeBytes }) => sizeBytes)),
		allocate,
		...placesOf(places),
	};
}

/** The same of a finished machine; its own record is all that is left. */
export function definitionOfFinished(file: MachineFile, places: RecoveryPlaces): MachineDefinition {
	const { recoveryId, machineName, config, hardware, nics, disks, allocate } = file;
	return {
		recoveryId,
		machineName,
		config,
		hardware: hardware.data,
		nics,
		disks: disksOf(disks.map(({ sizeBytes }) => sizeBytes)),
		allocate,
		...placesOf(places),
	};
}

function planOf({ plan }: RecoveryState): RecoveryPlan {
	if (plan === null) throw new Error('a machine comes after its plan');
	return plan;
}

function hardwareOf(state: RecoveryState): Hardware {
	const { hardware } = planOf(state);
	if (hardware === null)
		throw new RouseError('internal', `recovery ${state.name}: no platform has chosen its hardware`);
	return hardware;
}

function disksOf(sizes: readonly number[]): MachineDefinition['disks'] {
	return sizes.map((sizeBytes, index) => {
		const name = diskName(index);
		return { name, sizeBytes: wholeSectors(sizeBytes), exports: { now: `${name}-now`, wait: `${name}-wait` } };
	});
}

function placesOf({ directory, runDirectory, nbdSocket }: RecoveryPlaces) {
	return { directory, runDirectory, nbdSocket };
}

export function diskName(index: number): string {
	return `disk${index}`;
}
