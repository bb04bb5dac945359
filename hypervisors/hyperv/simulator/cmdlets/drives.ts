/** Add-, Set- and Remove-VMHardDiskDrive: https://learn.microsoft.com/powershell/module/hyper-v */
import type { Slot, VirtualDisk } from '../../driver/requests.ts';
import { openChain } from '../disk-chain.ts';
import { accountOf, grantAccess, volumeOf } from '../host-files.ts';
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import type { Drive, Vm } from '../state.ts';
import { samePath } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';
import { stateOf } from './vm.ts';

/**
 * VMMS gives the machine's account full control of the file and what it stands on: told of real hosts, as
 * http://itshi-tech.blogspot.com/2017/08/ has it. Set-VHD gives nobody anything.
 */
export async function addDrive(host: HostParts, vm: Vm, slot: Slot, path: string): Promise<void> {
	await cmdlet(host, 'Add-VMHardDiskDrive', async () => {
		checkSlot(host, vm, slot, 'Add-VMHardDiskDrive');
		if (vm.drives.some(drive => sameSlot(drive.slot, slot)))
			throw breaks('slotTaken', 'Add-VMHardDiskDrive', `${vm.name}: ${slotText(slot)}.`);
		const chain = await openChain(host, path, {
			cmdlet: 'Add-VMHardDiskDrive',
			account: undefined,
			who: `machine ${vm.name}`,
			write: true,
		});
		const isRunning = host.running.get(vm.vmId);
		for (const file of chain.files)
			if (volumeOf(host, file.path) === undefined) await grantAccess(host, file.path, accountOf(vm.vmId));
		if (isRunning) isRunning.disks.push({ path, chain });
		else await chain.close();
		vm.drives.push({ slot, path });
		await host.store.save();
	});
}

/** Set-VMHardDiskDrive -Path */
export async function setDrivePath(host: HostParts, vm: Vm, slot: Slot, path: string): Promise<void> {
	await cmdlet(host, 'Set-VMHardDiskDrive', async () => {
		const drive = vm.drives.find(one => sameSlot(one.slot, slot));
		if (drive === undefined)
			throw breaks('noSuchSlot', 'Set-VMHardDiskDrive', `${vm.name}: ${slotText(slot)} is empty.`);
		if (stateOf(host, vm) !== 'Off') throw breaks('wrongState', 'Set-VMHardDiskDrive', `${vm.name} is not off.`);
		await grantAccess(host, path, accountOf(vm.vmId));
		drive.path = path;
		await host.store.save();
	});
}

/** A drive of the appliance, which runs: on SCSI, and open for writing from then on. */
export async function addApplianceDrive(
	host: HostParts,
	{ path, virtualDiskId, sizeBytes }: Omit<VirtualDisk, 'type'>,
	slot: Slot,
): Promise<void> {
	await cmdlet(host, 'Add-VMHardDiskDrive', async () => {
		const drive = { slot, path };
		await host.appliance.attach(drive, { virtualDiskId, sizeBytes });
		host.state.applianceDrives.push(drive);
		await host.store.save();
	});
}

export async function removeApplianceDrive(host: HostParts, drive: Drive): Promise<void> {
	await cmdlet(host, 'Remove-VMHardDiskDrive', async () => {
		await host.appliance.detach(drive);
		host.state.applianceDrives = host.state.applianceDrives.filter(one => !samePath(one.path, drive.path));
		await host.store.save();
	});
}

/** Of a machine, off or running; what it had open there is closed. */
export async function removeDrive(host: HostParts, vm: Vm, gone: Drive): Promise<void> {
	await cmdlet(host, 'Remove-VMHardDiskDrive', async () => {
		const running = host.running.get(vm.vmId);
		const open = running?.disks.findIndex(({ path }) => samePath(path, gone.path)) ?? -1;
		if (running && open >= 0) for (const { chain } of running.disks.splice(open, 1)) await chain.close();
		vm.drives = vm.drives.filter(drive => drive !== gone);
		await host.store.save();
	});
}

export function sameSlot(one: Slot | Drive['slot'], other: Slot | Drive['slot']): boolean {
	return one.controller === other.controller && one.number === other.number && one.location === other.location;
}

function slotText({ controller, number, location }: Drive['slot']): string {
	return `${controller} ${number}:${location}`;
}

function checkSlot(host: HostParts, vm: Vm, slot: Slot, name: string): void {
	const [controllers, locations] = slot.controller === 'IDE' ? [2, 2] : [4, 64];
	if (vm.generation === 2 && slot.controller === 'IDE') throw breaks('noIde', name, vm.name);
	if (slot.number >= controllers || slot.location >= locations) throw breaks('noSuchSlot', name, slotText(slot));
	const state = stateOf(host, vm);
	if (state === 'Saved') throw breaks('wrongState', name, `${vm.name} is saved.`);
	if (slot.controller === 'IDE' && state !== 'Off') throw breaks('ideIsFixed', name, `${vm.name} is ${state}.`);
}
