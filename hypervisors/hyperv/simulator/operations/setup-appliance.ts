import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { AnswerOf, RequestOf, Slot } from '../../driver/requests.ts';
import { exists } from '../../../../system/if-there.ts';
import { addDrive, removeDrive } from '../cmdlets/drives.ts';
import { moveItem } from '../cmdlets/files.ts';
import { newVm, removeSavedState, removeVm, setVm, startVm, stateOf } from '../cmdlets/vm.ts';
import { makeDirectory, removeEmptyDirectory, removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import type { Vm } from '../state.ts';
import { directoryOf, placeOf, samePath } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';
import { removeFilesInside } from './files.ts';
import { findAppliance, mustFindAppliance, setupMark, setupName } from './find-appliance.ts';
import { setNics, takePower } from './machines.ts';

const diskSlot: Slot = { controller: 'SCSI', number: 0, location: 0 };
const seedSlot: Slot = { controller: 'SCSI', number: 0, location: 1 };

export async function expectFile(
	host: HostParts,
	{ path, part }: RequestOf<'expect-file'>,
): Promise<AnswerOf<'expect-file'>> {
	await makeDirectory(host, directoryOf(path));
	const place = placeOf(host.root, part);
	const partBytes = (await exists(place)) ? (await stat(place)).size : null;
	return { whole: await exists(placeOf(host.root, path)), partBytes };
}

export async function takeFile(
	host: HostParts,
	{ path, part, sha256 }: RequestOf<'take-file'>,
): Promise<AnswerOf<'take-file'>> {
	if (await exists(placeOf(host.root, path))) return { taken: true, found: null };
	const place = placeOf(host.root, part);
	if (!(await exists(place))) throw new DriverRefusal('not_there', `${part} is not there`);
	const hash = createHash('sha256');
	await pipeline(createReadStream(place), hash);
	const found = hash.digest('hex');
	if (found === sha256) await moveItem(host, part, path);
	else await removeFile(host, part);
	return { taken: found === sha256, found };
}

export async function createAppliance(
	host: HostParts,
	request: RequestOf<'create-appliance'>,
): Promise<AnswerOf<'create-appliance'>> {
	const { setupId, name, directory, disk, memoryMiB, processors, nics } = request;
	const found = await findAppliance(host, setupId);
	const unfinished = setupName(setupId);
	const vm = found ?? (await newVm(host, { name: unfinished, directory, generation: 2 }));
	// The name is the last thing that is set.
	if (vm.name === unfinished) {
		await setVm(host, 'Set-VM', vm, {
			notes: `Rouse's appliance: no checkpoints, and in no backup job\r\n${setupMark(setupId)}`,
			automaticStart: 'Start',
			automaticStop: 'ShutDown',
			checkpointType: 'Disabled',
		});
		await setVm(host, 'Set-VMMemory', vm, { memoryMiB });
		await setVm(host, 'Set-VMProcessor', vm, { processors });
		while (vm.scsiControllers < 4)
			await setVm(host, 'Add-VMScsiController', vm, { scsiControllers: vm.scsiControllers + 1 });
		if (!driveAt(vm, disk)) await addDrive(host, vm, diskSlot, disk);
		await setVm(host, 'Set-VMFirmware', vm, { secureBoot: 'Off', firstBoot: 'disk' });
		await setNics(host, vm, nics);
		await setVm(host, 'Set-VM', vm, { name });
	}
	return { vmId: vm.vmId, made: found === undefined };
}

export async function startAppliance(
	host: HostParts,
	{ setupId, seed }: RequestOf<'start-appliance'>,
): Promise<AnswerOf<'start-appliance'>> {
	const vm = await mustFindAppliance(host, setupId);
	if (host.running.has(vm.vmId)) return { started: false };
	if (seed !== null && !driveAt(vm, seed)) await addDrive(host, vm, seedSlot, seed);
	await startVm(host, vm);
	return { started: true };
}

export async function stopAppliance(
	host: HostParts,
	{ setupId, files }: RequestOf<'stop-appliance'>,
): Promise<AnswerOf<'stop-appliance'>> {
	const vm = await mustFindAppliance(host, setupId);
	const stopped = host.running.has(vm.vmId);
	await stop(host, vm, files);
	return { stopped };
}

async function stop(host: HostParts, vm: Vm, files: readonly string[]): Promise<void> {
	const strange = vm.drives.find(({ path }) => !files.some(file => samePath(file, path)));
	if (strange) throw new DriverRefusal('state_wrong', `the appliance has the disk ${strange.path}`);
	await takePower(host, vm);
	if (stateOf(host, vm) === 'Saved') await removeSavedState(host, vm);
}

export async function removeSeed(
	host: HostParts,
	{ setupId, path, part, directory }: RequestOf<'remove-seed'>,
): Promise<AnswerOf<'remove-seed'>> {
	const vm = await findAppliance(host, setupId);
	const drive = vm && driveAt(vm, path);
	if (vm && drive) await removeDrive(host, vm, drive);
	return { removed: (await removeFilesInside(host, [path, part], directory)) > 0 };
}

export async function removeAppliance(
	host: HostParts,
	{ setupId, files, directory, datastore }: RequestOf<'remove-appliance'>,
): Promise<AnswerOf<'remove-appliance'>> {
	const vm = await findAppliance(host, setupId);
	if (vm !== undefined) {
		await stop(host, vm, files);
		await removeVm(host, vm);
	}
	await removeFilesInside(host, files, directory);
	await removeEmptyDirectory(host, directory);
	if (datastore !== null) await removeEmptyDirectory(host, datastore);
	return { removed: vm !== undefined };
}

function driveAt(vm: Vm, path: string) {
	return vm.drives.find(drive => samePath(drive.path, path));
}
