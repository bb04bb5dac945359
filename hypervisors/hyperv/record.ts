import { randomUUID } from 'node:crypto';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import type { MachineDefinition } from '../contract.ts';
import { MachineRecords, recordFields } from '../machine-record.ts';
import { freshChapSecret } from './iscsi/chap.ts';
import type { MachinePaths } from './paths.ts';

const recordSchema = z.strictObject({
	version: z.literal(0),
	...recordFields,
	/** Of the volume and the VHDXs on it: chosen before either is made. */
	volume: z.strictObject({
		diskGuid: z.guid(),
		partitionGuid: z.guid(),
		/** One a disk. */
		files: z.array(z.strictObject({ fileWriteGuid: z.guid(), dataWriteGuid: z.guid() })),
	}),
	/** By which the Windows host knows the volume, and logs in again after a boot. */
	iscsi: z.strictObject({ iqn: z.string(), port: z.int(), chapSecret: z.string() }),
	/** Of Windows, when the machine was last started, or found running by a switch; `null` before. */
	startedInBoot: z.string().nullable(),
	/** A switch is about to save the guest, has saved it and not let it go on yet, or has asked for that and may still get it. */
	inPause: z.boolean(),
	/**
	 * Who has the targets. `appliance`: the movers. `machine`: they were let go for it, or are about to be. `returning`: the
	 * appliance again, and the mount mover may not have opened them anew yet.
	 */
	targets: z.enum(['appliance', 'machine', 'returning']),
	/** As Windows has named them, one a disk; none of a machine whose overlays are children, or before they are made. */
	overlays: z.array(z.string()),
	/** Of overlays by checkpoint: Windows merges them by itself, and no placeholder may be there any more. */
	mergeAsked: z.boolean(),
	/** A merge may be half done: no disk can be read until it is done again, and each is to be asked for. */
	mergeBegun: z.boolean(),
	/** The overlays are in the targets, and what may be left of them counts no more. */
	merged: z.boolean(),
});
export type MachineRecord = z.infer<typeof recordSchema>;

/** hyperv.json: from `create` to `remove`. */
export const records = new MachineRecords(recordSchema);

const targetRecordSchema = z.strictObject({
	version: z.literal(0),
	recoveryId: z.uuid(),
	/** VirtualDiskIds as the host has made them, one a disk; `null`: none is known to be made. */
	ids: z.array(z.guid().nullable()),
	/** DataWriteGuids of their placeholders: with them the files on the volume are made. `null`: it has none. */
	placeholderIds: z.array(z.guid().nullable()),
});

/** hyperv-targets.json: from `makeTargets` to `removeTargets`. */
export const targetRecords = new MachineRecords(targetRecordSchema);

export const ofTargets = ({ targetRecord }: MachinePaths) => ({ record: targetRecord });

export async function createTargetRecord(definition: MachineDefinition, paths: MachinePaths): Promise<void> {
	const { recoveryId, disks } = definition;
	const none = disks.map(() => null);
	await targetRecords.create(definition, ofTargets(paths), {
		version: 0,
		recoveryId,
		ids: none,
		placeholderIds: none,
	});
}

/** Throws `identity_conflict` when one was never made. */
export async function targetIds(definition: MachineDefinition, paths: MachinePaths): Promise<string[]> {
	const record = await targetRecords.read(definition, ofTargets(paths));
	return definition.disks.map(({ name }, at) => {
		const id = record?.ids[at];
		if (id !== undefined && id !== null) return id;
		throw new RouseError('identity_conflict', `${definition.directory}: there is no target of ${name}`);
	});
}

export async function createRecord(definition: MachineDefinition, paths: MachinePaths, port: number): Promise<void> {
	const { recoveryId, disks } = definition;
	await records.create(definition, paths, {
		version: 0,
		recoveryId,
		snapshotMade: false,
		volume: {
			diskGuid: randomUUID(),
			partitionGuid: randomUUID(),
			files: disks.map(() => ({ fileWriteGuid: randomUUID(), dataWriteGuid: randomUUID() })),
		},
		// A domain that nobody has (RFC 6761, 6.5), so that the name is nobody else's: RFC 7143, 4.2.7.4.
		iscsi: { iqn: `iqn.2026-11.example.rouse:${recoveryId}`, port, chapSecret: freshChapSecret() },
		startedInBoot: null,
		inPause: false,
		targets: 'appliance',
		overlays: [],
		mergeAsked: false,
		mergeBegun: false,
		merged: false,
	});
}
