import * as z from 'zod';
import type { MachineDefinition } from '../contract.ts';
import { MachineRecords, recordFields } from '../machine-record.ts';
import type { MachinePaths } from './paths.ts';

const parentSchema = z.enum(['mover', 'target']);
/** What an overlay reads through to. */
export type Parent = z.infer<typeof parentSchema>;

const recordSchema = z.strictObject({
	version: z.literal(0),
	...recordFields,
	/** It is run in the way that asks less of the host. */
	fellBack: z.boolean(),
	/** One a disk. */
	parents: z.array(parentSchema),
	/** The overlays are in the targets, and what may be left of them counts no more. */
	merged: z.boolean(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

/** simulated.json: from `create` to `remove`. */
export const records = new MachineRecords(recordSchema);

export async function createRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const { recoveryId, disks } = definition;
	const parents = disks.map((): Parent => 'mover');
	await records.create(definition, paths, {
		version: 0,
		recoveryId,
		snapshotMade: false,
		fellBack: false,
		parents,
		merged: false,
	});
}
