import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, isErrno, removeFileDurably, replaceFileDurably } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

/** qemu.json: this platform's own record of a machine, from `create` to `handOver`; see {@link endRecord}. */
const recordSchema = z.strictObject({
	version: z.literal(1),
	recoveryId: z.uuid(),
	/** The protective snapshot was made. One that is missing now was lost, with the guest's writes in it. */
	snapshotMade: z.boolean(),
	/** Set for a machine that the host's first choice did not carry: how it is run since, and why. */
	acceleration: z.strictObject({ accelerator: z.literal('tcg'), fallenBack: z.string() }).optional(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

/** The record, or undefined when there is none; `identity_conflict` when it is another recovery's. */
export async function readRecord(
	definition: MachineDefinition,
	paths: MachinePaths,
): Promise<MachineRecord | undefined> {
	let text: string;
	try {
		text = await readFile(paths.record, 'utf8');
	} catch (error) {
		if (isErrno(error, 'ENOENT')) return undefined;
		throw error;
	}
	const record = recordSchema.parse(JSON.parse(text));
	if (record.recoveryId !== definition.recoveryId)
		throw new RouseError(
			'identity_conflict',
			`${definition.directory} holds the machine of recovery ${record.recoveryId}, not of ${definition.recoveryId}`,
		);
	return record;
}

export async function createRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const record: MachineRecord = { version: 1, recoveryId: definition.recoveryId, snapshotMade: false };
	await createFileDurably(paths.record, document(record));
	await readRecord(definition, paths);
}

export async function recordSnapshot(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	await changeRecord(definition, paths, { snapshotMade: true });
}

/** From the next start on the machine is emulated. `reason`: what the accelerator before did to it. */
export async function recordFallBack(
	definition: MachineDefinition,
	paths: MachinePaths,
	reason: string,
): Promise<void> {
	await changeRecord(definition, paths, { acceleration: { accelerator: 'tcg', fallenBack: reason } });
}

async function changeRecord(
	definition: MachineDefinition,
	paths: MachinePaths,
	change: Partial<MachineRecord>,
): Promise<void> {
	const record = await readRecord(definition, paths);
	if (record === undefined)
		throw new RouseError('machine_failed', `${paths.record} is gone: the machine of this directory is not known`);
	await replaceFileDurably(paths.record, document({ ...record, ...change }));
}

/** After the switch nothing needs it, but for a machine that has fallen back: it must be started so ever after. */
export async function endRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const record = await readRecord(definition, paths);
	if (record?.acceleration === undefined) await removeFileDurably(paths.record);
}

function document(record: MachineRecord): string {
	return `${JSON.stringify(record)}\n`;
}
