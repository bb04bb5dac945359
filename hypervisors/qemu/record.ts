import * as z from 'zod';
import { removeFileDurably } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import { MachineRecords, recordFields } from '../machine-record.ts';
import type { MachinePaths } from './paths.ts';

const recordSchema = z.strictObject({
	version: z.literal(1),
	...recordFields,
	/** Set for a machine that the host's first choice did not carry: how it is run since, and why. */
	acceleration: z.strictObject({ accelerator: z.literal('tcg'), fallenBack: z.string() }).optional(),
});

/** qemu.json: from `create` to `handOver`; see {@link endRecord}. */
export const records = new MachineRecords(recordSchema);

export async function createRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const { recoveryId } = definition;
	await records.create(definition, paths, { version: 1, recoveryId, snapshotMade: false });
}

/** From the next start on the machine is emulated. `fallenBack`: what the accelerator before did to it. */
export async function recordFallBack(
	definition: MachineDefinition,
	paths: MachinePaths,
	fallenBack: string,
): Promise<void> {
	await records.change(definition, paths, { acceleration: { accelerator: 'tcg', fallenBack } });
}

/** After the switch nothing needs it, but for a machine that has fallen back: it must be started so ever after. */
export async function endRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const record = await records.read(definition, paths);
	if (record?.acceleration === undefined) await removeFileDurably(paths.record);
}
