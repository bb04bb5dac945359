import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

/** qemu.json: this platform's own record of a machine, from `create` to `handOver`. */
const recordSchema = z.strictObject({
	version: z.literal(1),
	recoveryId: z.uuid(),
	/** The protective snapshot was made. One that is missing now was lost, with the guest's writes in it. */
	snapshotMade: z.boolean(),
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
	await replaceFileDurably(
		paths.record,
		document({ version: 1, recoveryId: definition.recoveryId, snapshotMade: true }),
	);
}

function document(record: MachineRecord): string {
	return `${JSON.stringify(record)}\n`;
}
