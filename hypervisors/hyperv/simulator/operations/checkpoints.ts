/** Overlays by checkpoint, and the placeholders that they are made over. */
import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import { checkpointVm, removeVmSnapshot, renameVmSnapshot } from '../cmdlets/checkpoint.ts';
import { sameSlot } from '../cmdlets/drives.ts';
import { copyItem, moveItem, replaceItem } from '../cmdlets/files.ts';
import { getSnapshots, setVm } from '../cmdlets/vm.ts';
import { isThere, removeFile } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { filesBelow, makeWhole, mustBeDisk } from './disks.ts';
import type { Vm } from '../state.ts';
import { samePath } from '../windows-paths.ts';
import { DriverRefusal } from './failure.ts';
import { removeFilesInside } from './files.ts';
import { checkpointName, checkpointWarning, findMachine, mustFindMachine, unnamedCheckpoint } from './find-machine.ts';
import { checkDisks, connectDisk, mustStandOn } from './overlays.ts';
import { mustBe } from './state.ts';

/** A copy of the target while it is empty. */
export async function makePlaceholder(host: HostParts, target: string, placeholder: string): Promise<void> {
	await removeFile(host, placeholder);
	await makeWhole(host, placeholder, unfinished => copyItem(host, target, unfinished));
}

/** Of target, place and kept two are there, whichever way they go; between the renames nothing is in the place. */
export async function putTarget(host: HostParts, request: RequestOf<'put-target'>): Promise<AnswerOf<'put-target'>> {
	const { recoveryId, target, place, kept, to, merged = false } = request;
	const [atTarget, atPlace, isKept] = await Promise.all([target, place, kept].map(path => isThere(host, path)));
	const vm = await findMachine(host, recoveryId);
	const isDone =
		to === 'place' ? !atTarget && (merged || (atPlace && isKept)) : atTarget && !isKept && (atPlace || merged);
	if (isDone) return { changed: false };
	const [from, aside] = to === 'place' ? [target, kept] : [kept, target];
	const isWhole = atPlace && (to === 'place' ? atTarget && !isKept : isKept && !atTarget);
	const isBetween = atTarget && isKept && !atPlace;
	const isMerged = merged && atPlace && !isKept && !atTarget && vm === undefined;
	if (!isWhole && !isBetween && !isMerged)
		throw new DriverRefusal(
			'chain_unexpected',
			`of ${target}, ${place} and ${kept} there are: ${atTarget}, ${atPlace}, ${isKept}`,
		);
	if (vm !== undefined) await mustNotRunOn(host, vm, place);
	if (isMerged) await moveItem(host, place, target);
	else if (isBetween) await moveItem(host, from, place);
	else await replaceItem(host, { from, to: place, aside });
	return { changed: true };
}

async function mustNotRunOn(host: HostParts, vm: Vm, place: string): Promise<void> {
	if (!host.running.has(vm.vmId)) return;
	for (const { path } of vm.drives)
		if ((await filesBelow(host, path)).some(file => samePath(file.path, place)))
			throw new DriverRefusal('state_wrong', `${vm.name} runs, and has ${place} open`);
}

export async function makeCheckpoint(
	host: HostParts,
	{ recoveryId, disks }: RequestOf<'make-checkpoint'>,
): Promise<AnswerOf<'make-checkpoint'>> {
	const vm = await mustFindMachine(host, recoveryId);
	mustBe(host, vm, ['Off']);
	const name = checkpointName(recoveryId);
	const known = await getSnapshots(host, vm);
	const unnamed = unnamedCheckpoint(vm, known, recoveryId);
	if (unnamed !== undefined) {
		await mustStandOnPlaceholders(host, vm, disks);
		await renameVmSnapshot(host, vm, unnamed, name);
	} else if (!known.includes(name)) {
		for (const { placeholder, placeholderId, slot } of disks) {
			await mustBeDisk(host, placeholder, placeholderId);
			await connectDisk(host, vm, placeholder, slot);
		}
		const warning = checkpointWarning(recoveryId);
		if (!vm.notes.split(/\r?\n/).includes(warning))
			await setVm(host, 'Set-VM', vm, { notes: `${vm.notes}\r\n${warning}` });
		await setVm(host, 'Set-VM', vm, { checkpointType: 'Standard' });
		await checkpointVm(host, vm, name);
	}
	await setVm(host, 'Set-VM', vm, { checkpointType: 'Disabled' });
	const overlays: string[] = [];
	for (const disk of disks) overlays.push(await leafOf(host, vm, disk, [disk.placeholder, disk.base]));
	return { overlays };
}

type CheckpointDisk = RequestOf<'make-checkpoint'>['disks'][number];

async function mustStandOnPlaceholders(host: HostParts, vm: Vm, disks: readonly CheckpointDisk[]): Promise<void> {
	if (vm.drives.length !== disks.length)
		throw new DriverRefusal('chain_unexpected', `${vm.name} has ${vm.drives.length} disks, not ${disks.length}`);
	for (const disk of disks) {
		await mustBeDisk(host, disk.placeholder, disk.placeholderId);
		await leafOf(host, vm, disk, [disk.placeholder]);
	}
}

async function leafOf(host: HostParts, vm: Vm, disk: CheckpointDisk, wanted: readonly string[]): Promise<string> {
	const drive = vm.drives.find(one => sameSlot(one.slot, disk.slot));
	if (drive === undefined)
		throw new DriverRefusal('chain_unexpected', `${vm.name} has no disk where ${disk.placeholder} was`);
	await mustStandOn(host, drive.path, wanted);
	return drive.path;
}

export async function removeCheckpoint(
	host: HostParts,
	{ recoveryId, disks, kept, directory }: RequestOf<'remove-checkpoint'>,
): Promise<AnswerOf<'remove-checkpoint'>> {
	const vm = await mustFindMachine(host, recoveryId);
	const name = checkpointName(recoveryId);
	const isThereOne = (await getSnapshots(host, vm)).includes(name);
	if (isThereOne) {
		mustBe(host, vm, ['Off', 'Running', 'Paused']);
		await checkDisks(host, vm, disks);
		await removeVmSnapshot(host, vm, name);
	}
	await removeFilesInside(host, kept, directory);
	return { removed: isThereOne };
}
