import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { createFileDurably, isErrno, replaceFileDurably } from '../../system/durable-file.ts';
import type { MachineDefinition } from '../contract.ts';
import type { MachinePaths } from './paths.ts';

const parentSchema = z.enum(['mover', 'target']);
/** What an overlay reads through to. */
export type Parent = z.infer<typeof parentSchema>;

/** simulated.json: what the platform knows of a machine for good, from `create` to `remove`. */
const recordSchema = z.strictObject({
	version: z.literal(0),
	recoveryId: z.uuid(),
	/** The protective snapshot was made. One that is missing now was lost, with the guest's writes in it. */
	snapshotMade: z.boolean(),
	/** It is run in the way that asks less of the host. */
	fellBack: z.boolean(),
	/** One a disk. */
	parents: z.array(parentSchema),
	/** The overlays are in the targets, and what may be left of them counts no more. */
	merged: z.boolean(),
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

/** The same of a machine that must have been created. */
export async function recordOf(definition: MachineDefinition, paths: MachinePaths): Promise<MachineRecord> {
	const record = await readRecord(definition, paths);
	if (record) return record;
	throw new RouseError('phase_wrong', `${definition.directory}: no machine was created here`);
}

/** Leaves one that is there as it is. */
export async function createRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const record: MachineRecord = {
		version: 0,
		recoveryId: definition.recoveryId,
		snapshotMade: false,
		fellBack: false,
		parents: definition.disks.map(() => 'mover'),
		merged: false,
	};
	await createFileDurably(paths.record, document(record));
	await recordOf(definition, paths);
}

/** Durable when it resolves; nothing is written when nothing changes. */
export async function changeRecord(
	definition: MachineDefinition,
	paths: MachinePaths,
	change: Partial<Omit<MachineRecord, 'version' | 'recoveryId'>>,
): Promise<void> {
	const found = await recordOf(definition, paths);
	const next = document({ ...found, ...change });
	if (next !== document(found)) await replaceFileDurably(paths.record, next);
}

function document(record: MachineRecord): string {
	return `${JSON.stringify(record)}\n`;
}
