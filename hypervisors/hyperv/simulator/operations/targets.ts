import type { AnswerOf, RequestOf, Slot } from '../../driver/requests.ts';
import { addApplianceDrive, removeApplianceDrive, sameSlot } from '../cmdlets/drives.ts';
import { dataIdOf, getVhd, newVhd } from '../cmdlets/vhd.ts';
import { isThere, makeDirectory, removeEmptyDirectory } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import type { Drive } from '../state.ts';
import { directoryOf, samePath } from '../windows-paths.ts';
import { makePlaceholder } from './checkpoints.ts';
import { filesBelow, makeWhole, mustBeDisk } from './disks.ts';
import { DriverRefusal } from './failure.ts';
import { removeFilesInside } from './files.ts';

export async function makeTarget(host: HostParts, request: RequestOf<'make-target'>): Promise<AnswerOf<'make-target'>> {
	const { path, sizeBytes, logicalSectorBytes = 512, physicalSectorBytes = 4096, whole, knownId } = request;
	const { placeholder = null } = request;
	const wasThere = await isThere(host, path);
	if (!wasThere) {
		if (knownId !== null) throw new DriverRefusal('identity_conflict', `${path} is gone: it was ${knownId}`);
		await makeDirectory(host, directoryOf(path));
		const shape = { sizeBytes, logicalSectorBytes, physicalSectorBytes, type: whole ? 'Fixed' : 'Dynamic' } as const;
		await makeWhole(host, path, async unfinished => {
			await newVhd(host, { ...shape, path: unfinished });
			if (placeholder !== null) await makePlaceholder(host, unfinished, placeholder);
		});
	}
	const { parentPath, ...disk } = await getVhd(host, path);
	if (parentPath !== undefined || (knownId !== null && disk.virtualDiskId !== knownId))
		throw new DriverRefusal('identity_conflict', `${path} is ${disk.type} ${disk.virtualDiskId}, not ${knownId}`);
	if (disk.sizeBytes !== sizeBytes)
		throw new DriverRefusal('identity_conflict', `${path} has ${disk.sizeBytes} bytes, not ${sizeBytes}`);
	const isThereOne = placeholder !== null && (await isThere(host, placeholder));
	const placeholderDataId = isThereOne ? await dataIdOf(host, placeholder) : null;
	return { ...disk, made: !wasThere, placeholderDataId };
}

export async function attachTarget(
	host: HostParts,
	{ appliance, path, virtualDiskId }: RequestOf<'attach-target'>,
): Promise<AnswerOf<'attach-target'>> {
	mustBeAppliance(host, appliance);
	await mustBeDisk(host, path, virtualDiskId);
	const disk = await getVhd(host, path);
	// Of two recoveries that look for a place at once, both would find the same.
	return await host.locks.hold(appliance, async () => {
		const found = await findTargetDrive(host, path);
		if (found) return slotOf(found.slot);
		const slot = freeSlot(host.state.applianceDrives.map(drive => drive.slot));
		await addApplianceDrive(host, disk, slot);
		return slot;
	});
}

export async function detachTarget(
	host: HostParts,
	{ appliance, path }: RequestOf<'detach-target'>,
): Promise<AnswerOf<'detach-target'>> {
	// An appliance that is gone holds nothing.
	if (appliance !== host.settings.applianceId) return { detached: false };
	const drive = await findTargetDrive(host, path);
	if (drive === undefined) return { detached: false };
	await removeApplianceDrive(host, drive);
	return { detached: true };
}

export async function removeTargets(
	host: HostParts,
	{ recoveryId, appliance, paths, directory }: RequestOf<'remove-targets'>,
): Promise<AnswerOf<'remove-targets'>> {
	for (const path of paths) await detachTarget(host, { recoveryId, appliance, path });
	const unfinished = paths.map(path => `${path}.new.vhdx`);
	await removeFilesInside(host, unfinished, directory);
	const removed = await removeFilesInside(host, paths, directory);
	await removeEmptyDirectory(host, directory);
	return { removed };
}

/** Throws `chain_unexpected` when a checkpoint of the appliance takes what is written to it. */
async function findTargetDrive(host: HostParts, path: string): Promise<Drive | undefined> {
	for (const drive of host.state.applianceDrives) {
		if (samePath(drive.path, path)) return drive;
		if (!/\.avhdx?$/i.test(drive.path)) continue;
		if ((await filesBelow(host, drive.path)).some(file => samePath(file.path, path)))
			throw new DriverRefusal('chain_unexpected', `the appliance has a checkpoint: ${drive.path} stands on ${path}`);
	}
	return undefined;
}

function mustBeAppliance({ settings }: HostParts, appliance: string): void {
	if (appliance === settings.applianceId) return;
	throw new DriverRefusal('machine_unknown', `there is no machine ${appliance}`);
}

/** The first place of the appliance that is free. Throws `slots_full`. */
export function freeSlot(taken: readonly Drive['slot'][]): Slot {
	for (let number = 0; number < 4; number++)
		for (let location = 0; location < 64; location++) {
			const slot: Slot = { controller: 'SCSI', number, location };
			// The appliance's own disk.
			const isOwn = number === 0 && location === 0;
			if (!isOwn && !taken.some(one => sameSlot(one, slot))) return slot;
		}
	throw new DriverRefusal('slots_full', 'the appliance has 4 × 64 places for disks, and all are taken');
}

function slotOf({ controller, number, location }: Slot): Slot {
	return { controller, number, location };
}
