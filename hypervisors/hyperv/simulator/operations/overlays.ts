import type { AnswerOf, RequestOf, Slot } from '../../driver/requests.ts';
import { addDrive, sameSlot, setDrivePath } from '../cmdlets/drives.ts';
import { getVhd, mergeVhd, newDifferencingVhd, setVhdParent } from '../cmdlets/vhd.ts';
import { getSnapshots, setVm, stateOf } from '../cmdlets/vm.ts';
import { accountOf, grantAccess, isThere, makeDirectory, removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { rules, WindowsError } from '../rules.ts';
import type { Vm } from '../state.ts';
import { directoryOf, samePath } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';
import { checkpointName, mustFindMachine } from './find-machine.ts';
import { filesBelow, makeWhole, mustBeDisk } from './disks.ts';
import { mustBe } from './state.ts';

const brokenLinks: readonly string[] = [rules.parentNotFound.hresult, rules.idMismatch.hresult, '0xC03A0019'];

export async function chain(
	host: HostParts,
	{ recoveryId, awaited = [] }: RequestOf<'chain'>,
): Promise<AnswerOf<'chain'>> {
	const vm = await mustFindMachine(host, recoveryId);
	const disks: AnswerOf<'chain'>['disks'] = [];
	for (const { slot, path } of vm.drives) disks.push({ slot, files: await filesBelow(host, path) });
	const there: string[] = [];
	for (const path of awaited) if (await isThere(host, path)) there.push(path);
	return { disks, awaited: there };
}

export async function makeOverlay(
	host: HostParts,
	{ recoveryId, path, parent, parentId, slot }: RequestOf<'make-overlay'>,
): Promise<AnswerOf<'make-overlay'>> {
	const vm = await mustFindMachine(host, recoveryId);
	const made = !(await isThere(host, path));
	if (made) {
		await mustBeDisk(host, parent, parentId);
		await makeDirectory(host, directoryOf(path));
		await makeWhole(host, path, unfinished => newDifferencingVhd(host, { path: unfinished, parent }));
	} else await mustStandOn(host, path, [parent]);
	await connectDisk(host, vm, path, slot);
	return { made };
}

/** MAY find it connected. */
export async function connectDisk(host: HostParts, vm: Vm, path: string, slot: Slot): Promise<void> {
	const drive = vm.drives.find(one => sameSlot(one.slot, slot));
	if (drive !== undefined && !samePath(drive.path, path))
		throw new DriverRefusal('chain_unexpected', `where ${path} belongs the machine has ${drive.path}`);
	if (drive === undefined) {
		mustBe(host, vm, ['Off']);
		await addDrive(host, vm, slot, path);
	}
	// Also of a drive that is there: the session may have ended between the two steps.
	if (stateOf(host, vm) === 'Off') await setFirstBoot(host, vm, slot);
}

async function setFirstBoot(host: HostParts, vm: Vm, { number, location }: Slot): Promise<void> {
	if (vm.generation !== 2 || number !== 0 || location !== 0) return;
	await setVm(host, 'Set-VMFirmware', vm, { firstBoot: 'disk' });
}

/** Each of the machine's disks is one of these, and stands on what is said of it. */
export async function checkDisks(host: HostParts, vm: Vm, disks: RequestOf<'start'>['disks']): Promise<void> {
	const wanted = (path: string) => disks.find(({ leaf }) => samePath(leaf, path));
	const strange = vm.drives.find(({ path }) => wanted(path) === undefined);
	if (strange || vm.drives.length !== disks.length)
		throw new DriverRefusal('chain_unexpected', `${vm.name} has ${vm.drives.map(({ path }) => path).join(', ')}`);
	for (const { path } of vm.drives) {
		const disk = wanted(path);
		await mustStandOn(host, path, [disk?.parent ?? null]);
		const awaited = disk?.awaited;
		if (awaited && (await isThere(host, awaited)))
			throw new DriverRefusal('chain_unexpected', `${path} stands on an empty disk: ${awaited} has another place`);
	}
}

export async function reparent(
	host: HostParts,
	{ recoveryId, overlay, from, parent, parentId, anew, idsMayDiffer = true, awaited = null }: RequestOf<'reparent'>,
): Promise<AnswerOf<'reparent'>> {
	const vm = await mustFindMachine(host, recoveryId);
	mustBe(host, vm, ['Off', 'Saved']);
	if (!vm.drives.some(({ path }) => samePath(path, overlay)))
		throw new DriverRefusal('chain_unexpected', `${vm.name} does not have the disk ${overlay}`);
	if (/\.avhdx$/i.test(overlay) && !(await getSnapshots(host, vm)).includes(checkpointName(recoveryId)))
		throw new DriverRefusal('chain_unexpected', `${vm.name} has no checkpoint any more that ${overlay} is of`);
	const now = await standsOn(host, overlay, [...from, parent]);
	if (awaited !== null && (await isThere(host, awaited)))
		throw new DriverRefusal('chain_unexpected', `${parent} is an empty disk: ${awaited} has another place`);
	await mustBeDisk(host, parent, parentId);
	await grantAccess(host, parent, accountOf(vm.vmId));
	const isRight = now !== null && samePath(now, parent);
	if (isRight && !anew) return { changed: false };
	await setVhdParent(host, { path: overlay, parent, ignoreIdMismatch: idsMayDiffer });
	await mustStandOn(host, overlay, [parent]);
	return { changed: !isRight };
}

/** Each step finds what the one before has left. The link is made anew, which a merge that was begun before has broken. */
export async function merge(
	host: HostParts,
	{ recoveryId, overlay, target, slot }: RequestOf<'merge'>,
): Promise<AnswerOf<'merge'>> {
	const vm = await mustFindMachine(host, recoveryId);
	mustBe(host, vm, ['Off']);
	const drive = vm.drives.find(one => sameSlot(one.slot, slot));
	if (drive && samePath(drive.path, target)) {
		await removeFile(host, overlay);
		return { merged: false };
	}
	if (!drive || !samePath(drive.path, overlay))
		throw new DriverRefusal('chain_unexpected', `where ${overlay} belongs ${vm.name} has ${drive?.path ?? 'nothing'}`);
	if (await isThere(host, overlay)) {
		await standsOn(host, overlay, [target]);
		await setVhdParent(host, { path: overlay, parent: target, ignoreIdMismatch: true });
		await mergeVhd(host, { path: overlay, destination: target });
	}
	await setDrivePath(host, vm, slot, target);
	await removeFile(host, overlay);
	return { merged: true };
}

/** As {@link mustStandOn}; `null` too where the link is broken, so that Windows does not tell it. */
async function standsOn(host: HostParts, path: string, wanted: readonly string[]): Promise<string | null> {
	try {
		return await mustStandOn(host, path, wanted);
	} catch (error) {
		if (error instanceof WindowsError && brokenLinks.includes(error.hresult)) return null;
		throw error;
	}
}

/** Which of these it stands on; `null` is nothing. Throws `chain_unexpected`. */
export async function mustStandOn(
	host: HostParts,
	path: string,
	wanted: readonly (string | null)[],
): Promise<string | null> {
	const { parentPath = null } = await getVhd(host, path);
	const fits = wanted.some(one =>
		one === null || parentPath === null ? one === parentPath : samePath(one, parentPath),
	);
	if (fits) return parentPath;
	throw new DriverRefusal(
		'chain_unexpected',
		`${path} stands on ${parentPath ?? 'nothing'}, not on ${wanted.map(one => one ?? 'nothing').join(' or ')}`,
	);
}
