import type { AnswerOf, RequestOf } from '../../driver/requests.ts';
import {
	addNic,
	getSnapshots,
	isMerging,
	newVm,
	removeNic,
	removeSavedState,
	removeVm,
	setVm,
	stateOf,
	stopVmProcess,
	turnOffVm,
} from '../cmdlets/vm.ts';
import { filesIn, removeEmptyDirectory } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { rules, WindowsError } from '../rules.ts';
import type { Vm } from '../state.ts';
import { DriverRefusal } from './failure.ts';
import {
	checkpointName,
	findMachine,
	markOf,
	mustFindMachine,
	unfinishedName,
	unnamedCheckpoint,
} from './find-machine.ts';
import { removeFilesInside } from './files.ts';

export async function createMachine(
	host: HostParts,
	request: RequestOf<'create-machine'>,
): Promise<AnswerOf<'create-machine'>> {
	const { recoveryId, name, directory, generation } = request;
	const found = await findMachine(host, recoveryId);
	const unfinished = unfinishedName(recoveryId);
	const vm = found ?? (await newVm(host, { name: unfinished, directory, generation }));
	// The name is the last thing that is set.
	if (vm.name === unfinished) {
		await setVm(host, 'Set-VM', vm, {
			notes: `Recovered by Rouse\r\n${markOf(recoveryId)}`,
			automaticStart: 'Nothing',
			automaticStop: 'Save',
			checkpointType: 'Disabled',
		});
		await setHardware(host, vm, request);
		await setVm(host, 'Set-VM', vm, { name });
	}
	return { vmId: vm.vmId, made: found === undefined };
}

export async function observe(host: HostParts, { recoveryId }: RequestOf<'observe'>): Promise<AnswerOf<'observe'>> {
	const vm = await findMachine(host, recoveryId);
	if (vm === undefined) return null;
	const { vmId, name, stoppedBy } = vm;
	const names = await getSnapshots(host, vm);
	const hasOwnCheckpoint = names.includes(checkpointName(recoveryId));
	const checkpoints = names.length - (hasOwnCheckpoint ? 1 : 0);
	const running = host.running.get(vmId);
	const uptimeMs = running ? performance.now() - running.startedAtMs : 0;
	// Of a guest that is there; one without a system that boots is never heard of.
	const heartbeat = running?.guestBoot === undefined ? 'NoContact' : 'OkApplicationsUnknown';
	return { vmId, name, state: stateOf(host, vm), heartbeat, stoppedBy, uptimeMs, checkpoints, hasOwnCheckpoint };
}

export async function handOver(
	host: HostParts,
	{ recoveryId }: RequestOf<'hand-over'>,
): Promise<AnswerOf<'hand-over'>> {
	const vm = await mustFindMachine(host, recoveryId);
	await setVm(host, 'Set-VM', vm, {
		automaticStart: 'StartIfRunning',
		automaticStop: 'Save',
		checkpointType: 'Production',
	});
	return { vmId: vm.vmId };
}

export async function removeMachine(
	host: HostParts,
	{ recoveryId, overlays, directory }: RequestOf<'remove-machine'>,
): Promise<AnswerOf<'remove-machine'>> {
	const vm = await findMachine(host, recoveryId);
	if (vm !== undefined) {
		await takePower(host, vm);
		if (isMerging(host, vm)) throw new DriverRefusal('busy', `Windows is merging the disks of ${vm.name}`);
		if (stateOf(host, vm) === 'Saved') await removeSavedState(host, vm);
		const known = await getSnapshots(host, vm);
		const isOurs = known.includes(checkpointName(recoveryId)) || unnamedCheckpoint(vm, known, recoveryId) !== undefined;
		if (isOurs) await removeLeaves(host, directory);
		await removeVm(host, vm);
	}
	await removeLeaves(host, directory);
	const left = (await filesIn(host, directory)).filter(path => /\.new\.vhdx$/i.test(path));
	await removeFilesInside(host, [...overlays, ...left], directory);
	await removeEmptyDirectory(host, directory);
	return { removed: vm !== undefined };
}

/** Of a checkpoint that VMMS knows before the machine goes: what is not there it cannot merge. */
async function removeLeaves(host: HostParts, directory: string): Promise<void> {
	const leaves = (await filesIn(host, directory)).filter(path => /\.avhdx$/i.test(path));
	try {
		await removeFilesInside(host, leaves, directory);
	} catch (error) {
		if (!(error instanceof WindowsError) || error.hresult !== rules.fileInUse.hresult) throw error;
		throw new DriverRefusal('busy', `Windows is merging what a checkpoint has left: ${error.message}`);
	}
}

async function setHardware(host: HostParts, vm: Vm, request: RequestOf<'create-machine'>): Promise<void> {
	const { memoryMiB, processors, pipe, secureBoot, nics } = request;
	await setVm(host, 'Set-VMMemory', vm, { memoryMiB: memoryMiB + (memoryMiB % 2) });
	await setVm(host, 'Set-VMProcessor', vm, { processors });
	await setVm(host, 'Set-VMComPort', vm, { pipe });
	if (vm.generation === 2) await setVm(host, 'Set-VMFirmware', vm, { secureBoot });
	await setNics(host, vm, nics);
}

/** All anew: one may be half made. */
export async function setNics(host: HostParts, vm: Vm, nics: Vm['nics']): Promise<void> {
	for (const nic of vm.nics) await removeNic(host, vm, nic);
	for (const nic of nics) await addNic(host, vm, nic);
}

export async function stopIfThere(host: HostParts, recoveryId: string): Promise<void> {
	const vm = await findMachine(host, recoveryId);
	if (vm !== undefined) await takePower(host, vm);
}

/** Where Stop-VM would not come back the machine's process is ended. */
export async function takePower(host: HostParts, vm: Vm): Promise<void> {
	const running = host.running.get(vm.vmId);
	if (running?.isFrozen) await stopVmProcess(host, vm);
	else if (running) await turnOffVm(host, vm);
}
