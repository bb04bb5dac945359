/** The disks to fill: VHDXs on the Windows host, which the appliance sees as SCSI disks until the machine stands on them. */
import { join } from 'node:path';
import { RouseError } from '../../model/errors.ts';
import { exactBytes, formatBytes } from '../../model/format-bytes.ts';
import { removeFileDurably } from '../../system/durable-file.ts';
import { diskBytesInVhdx } from '../../vhdx/geometry.ts';
import type { CallOptions, MachineDisk, Target } from '../contract.ts';
import { checkVolumeRoom } from './volume.ts';
import { putTargets } from './disk-files.ts';
import type { AnswerOf } from './driver/requests.ts';
import { diskHardware } from './hardware.ts';
import type { Call, MachineParts } from './parts.ts';
import { createTargetRecord, ofTargets, records, targetIds, targetRecords } from './record.ts';
import { awaitDisk, findDisk, letGo, syncDisk, type WantedDisk } from './scsi-disks.ts';

/** A VHDX's disk has whole sectors of its own. */
function targetBytes(parts: MachineParts, disk: MachineDisk): number {
	return diskBytesInVhdx(disk.sizeBytes, diskHardware(parts, disk));
}

/** See `Machine.makeTargets`. An id is on record before anything is made of it: another one is not taken for it. */
export async function makeTargets(parts: MachineParts, options: CallOptions): Promise<void> {
	const { definition, paths } = parts;
	await createTargetRecord(definition, paths);
	const sizesBytes = definition.disks.map(({ sizeBytes }) => sizeBytes);
	await checkVolumeRoom(definition.directory, { sizesBytes, hardware: parts.hardware });
	await checkSpace(parts, options);
	for (const [at, disk] of definition.disks.entries()) {
		const { ids, placeholderIds } = await targetRecords.of(definition, ofTargets(paths));
		const { virtualDiskId, placeholderDataId } = await makeTarget(parts, disk, ids[at] ?? null, options);
		await targetRecords.change(definition, ofTargets(paths), {
			ids: ids.with(at, virtualDiskId),
			placeholderIds: placeholderIds.with(at, placeholderDataId),
		});
	}
}

async function makeTarget(
	parts: MachineParts,
	disk: MachineDisk,
	knownId: string | null,
	options: CallOptions,
): Promise<AnswerOf<'make-target'>> {
	const { settings, definition, paths, hardware } = parts;
	const { logicalSectorBytes, physicalSectorBytes } = diskHardware(parts, disk);
	const path = paths.windows.target(disk);
	const sizeBytes = targetBytes(parts, disk);
	const made = await settings.driver.ask(
		'make-target',
		{
			recoveryId: definition.recoveryId,
			path,
			sizeBytes,
			logicalSectorBytes,
			physicalSectorBytes,
			whole: hardware.wholeTargets,
			knownId,
			placeholder: hardware.overlay === 'checkpoint' ? paths.windows.place(disk) : null,
		},
		options,
	);
	if (made.sizeBytes === sizeBytes) return made;
	throw new RouseError(
		'identity_conflict',
		`${path} is a disk of ${exactBytes(made.sizeBytes)}, not of ${exactBytes(sizeBytes)}`,
	);
}

/** By count: a dynamic VHDX takes nothing when it is made. */
async function checkSpace(parts: MachineParts, options: CallOptions): Promise<void> {
	const { settings, definition, paths } = parts;
	if (definition.allocate !== 'start') return;
	const { ids } = await targetRecords.of(definition, ofTargets(paths));
	const missing = definition.disks.filter((_disk, at) => (ids[at] ?? null) === null);
	const neededBytes = missing.reduce((sum, disk) => sum + targetBytes(parts, disk), 0);
	const { datastore, driver } = settings;
	const { freeBytes } = await driver.ask('report', { datastore }, options);
	if (freeBytes >= neededBytes) return;
	throw new RouseError(
		'space_short',
		`${datastore}: ${formatBytes(neededBytes)} needed for the machine's disks, ${formatBytes(freeBytes)} free`,
		{
			hint: 'make room, or let the space be taken as blocks arrive (thin)',
			details: { neededBytes, freeBytes },
		},
	);
}

/**
 * See `Machine.openTargets`. Windows does one thing of a recovery at a time. When it waits for the volume it waits for the mover,
 * which would wait here: of disks that are here it is asked nothing.
 */
export async function openTargets(parts: MachineParts, options: CallOptions): Promise<Target[]> {
	return await targetsBy(
		async (disk, virtualDiskId) =>
			(await findDisk(parts.settings.roots, wantedDisk(parts, disk, virtualDiskId))) ??
			(await attach(parts, disk, virtualDiskId, options)),
		parts,
	);
}

/** The same, and Windows is asked of each: throws what forbids to take one away, a checkpoint of the appliance. */
export async function attachTargets(parts: MachineParts, options: CallOptions): Promise<void> {
	await targetsBy((disk, virtualDiskId) => attach(parts, disk, virtualDiskId, options), parts);
}

async function targetsBy(
	open: (disk: MachineDisk, virtualDiskId: string) => Promise<string>,
	{ settings, definition, paths, targetsInTurn }: MachineParts,
): Promise<Target[]> {
	const ids = await targetIds(definition, paths);
	return targetsInTurn.run(async () => {
		const record = await records.read(definition, paths);
		const targets: Target[] = [];
		for (const [at, disk] of definition.disks.entries()) {
			const virtualDiskId = ids[at] ?? '';
			const identity = `vhdx-${virtualDiskId}`;
			const path =
				record?.targets === 'machine'
					? join(settings.roots.dev, identity) // where nothing is
					: await open(disk, virtualDiskId);
			targets.push({ identity, path, place: paths.windows.target(disk), offsetBytes: 0, readsZero: true });
		}
		return targets;
	});
}

function wantedDisk(parts: MachineParts, disk: MachineDisk, virtualDiskId: string): WantedDisk {
	return { virtualDiskId, sizeBytes: targetBytes(parts, disk) };
}

async function attach(
	parts: MachineParts,
	disk: MachineDisk,
	virtualDiskId: string,
	options: CallOptions,
): Promise<string> {
	const { settings, definition, paths } = parts;
	const { recoveryId } = definition;
	const path = paths.windows.target(disk);
	const { appliance } = settings;
	try {
		await settings.driver.ask('attach-target', { recoveryId, appliance, path, virtualDiskId }, options);
	} catch (error) {
		options.signal?.throwIfAborted();
		await makeTarget(parts, disk, virtualDiskId, options); // says so when it is gone
		throw error;
	}
	return awaitDisk(settings.roots, wantedDisk(parts, disk, virtualDiskId), options);
}

/**
 * The machine is to stand on them: from here on nobody attaches them to the appliance, and they are where it looks for them. What
 * was written is on them.
 */
export async function releaseTargets(parts: MachineParts): Promise<void> {
	await detachTargets(parts);
	await putTargets(parts, 'place');
}

/** Nobody but the machine has them. On record before: whoever wants them afterwards puts them back first. */
export async function detachTargets(parts: MachineParts): Promise<void> {
	const { settings, definition, paths, targetsInTurn } = parts;
	const ids = await targetIds(definition, paths);
	await targetsInTurn.run(async () => {
		await records.change(definition, paths, { targets: 'machine' });
		for (const id of ids) await syncDisk(settings.roots, id);
		for (const id of ids) await letGo(settings.roots, id);
		for (const disk of definition.disks) {
			const request = { recoveryId: definition.recoveryId, appliance: settings.appliance };
			await settings.driver.ask('detach-target', { ...request, path: paths.windows.target(disk) });
		}
	});
}

/**
 * The machine stands on the volume, or is about to: the mount mover has the targets, wherever they are by now. They are taken
 * away whole first: one that the kernel has let go and that is still attached would be added to nothing, and not be seen again.
 */
export async function returnTargets({ parts, gate, options }: Call): Promise<void> {
	const { definition, paths } = parts;
	const { targets } = await records.of(definition, paths);
	if (targets === 'appliance') return;
	await detachTargets(parts);
	await putTargets(parts, 'own');
	await records.change(definition, paths, { targets: 'returning' });
	await gate.reopen(options);
	await records.change(definition, paths, { targets: 'appliance' });
}

/** Wherever they are, with their placeholders. */
function targetFiles({ definition, hardware, paths: { windows } }: MachineParts): string[] {
	const isChild = hardware.overlay === 'child';
	return definition.disks.flatMap(disk => [
		windows.target(disk),
		...(isChild ? [] : [windows.place(disk), windows.kept(disk)]),
	]);
}

/** See `Machine.removeTargets`. */
export async function removeTargets(parts: MachineParts): Promise<void> {
	const { settings, definition, paths } = parts;
	const record = await targetRecords.read(definition, ofTargets(paths));
	if (record === undefined) return;
	const ids = record.ids.filter(id => id !== null);
	for (const id of ids) await letGo(settings.roots, id);
	await settings.driver.ask('remove-targets', {
		recoveryId: definition.recoveryId,
		appliance: settings.appliance,
		paths: targetFiles(parts),
		directory: paths.windows.directory,
	});
	await removeFileDurably(paths.targetRecord);
}
