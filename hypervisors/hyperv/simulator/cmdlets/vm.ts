/** New-VM, Get-VM, Start-VM, Stop-VM, Save-VM, …: https://learn.microsoft.com/powershell/module/hyper-v */
import { randomUUID } from 'node:crypto';
import { openChain } from '../disk-chain.ts';
import { accountOf, isThere, makeDirectory } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import { type RunningDisk, RunningVm } from '../running-vm.ts';
import { pipePlace, SerialConsole } from '../serial-console.ts';
import type { Vm } from '../state.ts';
import { endProcess } from '../vm-process.ts';
import type { VmState } from '../../driver/requests.ts';
import { cmdlet } from './reached.ts';

export async function getVms(host: HostParts): Promise<readonly Vm[]> {
	return await cmdlet(host, 'Get-VM', async () => host.state.vms);
}

/** OperationalStatus has MergingDisks. */
export function isMerging({ openFiles }: HostParts, { drives }: Vm): boolean {
	return drives.some(({ path }) => openFiles.isMerged(path));
}

/** Their names. Of a machine whose process does not answer it is waited for: a guess. */
export async function getSnapshots(host: HostParts, vm: Vm): Promise<readonly string[]> {
	return await cmdlet(host, 'Get-VMSnapshot', async () => {
		await untilItAnswers(host, vm.vmId);
		return vm.checkpoints;
	});
}

export function stateOf({ running }: HostParts, { vmId, saved }: Vm): VmState {
	return running.get(vmId)?.state ?? (saved === null ? 'Off' : 'Saved');
}

export async function newVm(host: HostParts, wanted: Pick<Vm, 'name' | 'directory' | 'generation'>): Promise<Vm> {
	return await cmdlet(host, 'New-VM', async () => {
		await makeDirectory(host, wanted.directory);
		const vm: Vm = {
			...wanted,
			vmId: randomUUID(),
			notes: '',
			memoryMiB: 1024,
			processors: 1,
			scsiControllers: wanted.generation === 2 ? 1 : 0,
			secureBoot: wanted.generation === 2 ? 'MicrosoftWindows' : 'Off',
			firstBoot: 'network',
			// Of Windows' choice.
			nics: [{ name: 'Network Adapter', mac: '00:00:00:00:00:00', switchName: null }],
			pipe: '',
			// As Hyper-V makes it: what is not wanted is set afterwards.
			automaticStart: 'StartIfRunning',
			automaticStop: 'Save',
			checkpointType: 'Production',
			drives: [],
			checkpoints: [],
			merging: false,
			stoppedBy: 'unknown',
			saved: null,
		};
		host.state.vms.push(vm);
		await host.store.save();
		return vm;
	});
}

/** Set-VM and those of its kind, each for a part of what New-VM does not take. */
export async function setVm(
	host: HostParts,
	name: 'Set-VM' | 'Set-VMMemory' | 'Set-VMProcessor' | 'Set-VMFirmware' | 'Set-VMComPort' | 'Add-VMScsiController',
	vm: Vm,
	changes: Partial<Omit<Vm, 'vmId' | 'drives'>>,
): Promise<void> {
	await cmdlet(host, name, async () => {
		if (name !== 'Set-VM') mustBeOff(host, vm, name);
		Object.assign(vm, changes);
		await host.store.save();
	});
}

type Nic = Vm['nics'][number];

export async function addNic(host: HostParts, vm: Vm, nic: Nic): Promise<void> {
	await cmdlet(host, 'Add-VMNetworkAdapter', async () => {
		vm.nics.push({ ...nic });
		await host.store.save();
	});
}

export async function removeNic(host: HostParts, vm: Vm, nic: Nic): Promise<void> {
	await cmdlet(host, 'Remove-VMNetworkAdapter', async () => {
		vm.nics = vm.nics.filter(one => one !== nic);
		await host.store.save();
	});
}

/** Starts it, or resumes it from its saved state. */
export async function startVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Start-VM', async () => {
		// That a machine that is off waits until it is merged is a guess.
		await host.merges.get(vm.vmId);
		if (host.running.has(vm.vmId)) throw breaks('wrongState', 'Start-VM', `${vm.name} runs.`);
		const takenMiB = [...host.running.values()].reduce((sum, { memoryMiB }) => sum + memoryMiB, 0);
		if (takenMiB + vm.memoryMiB > host.faults.conditions.memoryMiB)
			throw breaks('memoryShort', 'Start-VM', `${vm.name} needs ${vm.memoryMiB} MiB.`);
		const disks = await openDisks(host, vm);
		if (vm.saved !== null && host.faults.conditions.savedStateUnusable) {
			for (const { chain } of disks) await chain.close();
			throw breaks('savedStateUnusable', 'Start-VM', vm.name);
		}
		const pipe = pipePlace(host.settings.directory, vm.pipe);
		const console = vm.pipe === '' ? undefined : await SerialConsole.open(pipe, `${vm.name}\r\n`);
		host.running.set(vm.vmId, new RunningVm(vm, disks, console));
		vm.saved = null;
		vm.stoppedBy = 'unknown';
		await host.store.save();
	});
}

/** -TurnOff -Force */
export async function turnOffVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Stop-VM', async () => {
		await untilItAnswers(host, vm.vmId);
		await endProcess(host, vm.vmId, 'order');
	});
}

/** Stop-Process of the machine's vmwp.exe, whose command line has the machine's GUID: where Stop-VM does not come back. */
export async function stopVmProcess(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Stop-Process', () => endProcess(host, vm.vmId, 'order'));
}

/** Its memory goes to the disk, with what the guest has not flushed; the process ends. */
export async function saveVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Save-VM', async () => {
		const running = host.running.get(vm.vmId);
		if (running === undefined) throw breaks('wrongState', 'Save-VM', `${vm.name} is ${stateOf(host, vm)}.`);
		if (vm.memoryMiB * 2 ** 20 > host.faults.conditions.freeBytes) throw breaks('diskFull', 'Save-VM', vm.directory);
		await untilItAnswers(host, vm.vmId);
		running.change(() => (running.state = 'Paused'));
		vm.saved = { guestBoot: running.guestBoot ?? '', unflushed: running.unflushed };
		await host.store.save();
		await endProcess(host, vm.vmId, 'order');
	});
}

/** Remove-VMSavedState: for the guest, its power is lost. */
export async function removeSavedState(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Remove-VMSavedState', async () => {
		vm.saved = null;
		await host.store.save();
	});
}

export async function resumeVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Resume-VM', async () => {
		const running = host.running.get(vm.vmId);
		if (running === undefined) throw breaks('wrongState', 'Resume-VM', `${vm.name} is ${stateOf(host, vm)}.`);
		running.change(() => (running.state = 'Running'));
	});
}

/** Restart-VM -Force, which is the reset button. */
export async function restartVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Restart-VM', async () => {
		const running = host.running.get(vm.vmId);
		if (running === undefined) throw breaks('wrongState', 'Restart-VM', `${vm.name} is ${stateOf(host, vm)}.`);
		running.restartGuest();
	});
}

/**
 * Its configuration and saved state go; its disks stay, but for those of checkpoints, which are merged after it is gone:
 * https://learn.microsoft.com/powershell/module/hyper-v/remove-vm. Here they stay in use, so that it is noticed.
 */
export async function removeVm(host: HostParts, vm: Vm): Promise<void> {
	await cmdlet(host, 'Remove-VM', async () => {
		if (host.running.has(vm.vmId)) throw breaks('wrongState', 'Remove-VM', `${vm.name} runs.`);
		host.state.vms = host.state.vms.filter(one => one !== vm);
		for (const { path } of vm.checkpoints.length > 0 ? vm.drives : [])
			if (await isThere(host, path)) host.openFiles.take(path, 'write', 'VMMS, which merges it', 'Remove-VM');
		await host.store.save();
	});
}

export function mustBeOff(host: HostParts, vm: Vm, name: string): void {
	const state = stateOf(host, vm);
	if (state !== 'Off') throw breaks('wrongState', name, `${vm.name} is ${state}.`);
}

async function untilItAnswers({ running }: HostParts, vmId: string): Promise<void> {
	const vm = running.get(vmId);
	await vm?.until(() => !vm.isFrozen || vm.hasEnded);
}

async function openDisks(host: HostParts, vm: Vm): Promise<RunningDisk[]> {
	const disks: RunningDisk[] = [];
	const options = { cmdlet: 'Start-VM', account: accountOf(vm.vmId), who: `machine ${vm.name}`, write: true };
	try {
		for (const { path } of vm.drives) disks.push({ path, chain: await openChain(host, path, options) });
	} catch (error) {
		for (const { chain } of disks) await chain.close();
		throw error;
	}
	return disks;
}
