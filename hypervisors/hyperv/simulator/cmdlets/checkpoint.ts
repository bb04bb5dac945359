/** Checkpoint-VM and Remove-VMSnapshot: https://learn.microsoft.com/powershell/module/hyper-v */
import { randomUUID } from 'node:crypto';
import { accountOf, grantAccess } from '../host-files.ts';
import { mergeInBackground } from '../merge-checkpoint.ts';
import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import type { Vm } from '../state.ts';
import { directoryOf, nameOf } from '../windows-paths.ts';
import { cmdlet } from './reached.ts';
import { newDifferencingVhd } from './vhd.ts';
import { mustBeOff, stateOf } from './vm.ts';

/**
 * -SnapshotName, of a machine that is off: a new differencing disk on each leaf takes the leaf's place. That the name is given in a
 * step of its own is a guess.
 */
export async function checkpointVm(host: HostParts, vm: Vm, name: string): Promise<void> {
	await cmdlet(host, 'Checkpoint-VM', async () => {
		if (vm.checkpointType === 'Disabled') throw breaks('checkpointsDisabled', 'Checkpoint-VM', vm.name);
		mustBeOff(host, vm, 'Checkpoint-VM');
		const unnamed = nameOfWindows(vm);
		await addLeaves(host, vm, unnamed);
		await host.faults.reach('Checkpoint-VM naming', 'Checkpoint-VM');
		await rename(host, vm, unnamed, name);
	});
}

/** Of one that nobody names: https://learn.microsoft.com/virtualization/hyper-v-on-windows/user-guide/checkpoints */
function nameOfWindows({ name }: Vm): string {
	const now = new Date();
	return `${name} - (${now.toLocaleDateString('en-US')} - ${now.toLocaleTimeString('en-US')})`;
}

export async function renameVmSnapshot(host: HostParts, vm: Vm, name: string, newName: string): Promise<void> {
	await cmdlet(host, 'Rename-VMSnapshot', () => rename(host, vm, name, newName));
}

async function rename(host: HostParts, vm: Vm, name: string, newName: string): Promise<void> {
	vm.checkpoints = vm.checkpoints.map(one => (one === name ? newName : one));
	await host.store.save();
}

/** Somebody's own, who has allowed them before. */
export async function addCheckpoint(host: HostParts, vmId: string): Promise<void> {
	await cmdlet(host, 'Checkpoint-VM', async () => {
		const vm = host.state.vms.find(one => one.vmId === vmId);
		if (vm === undefined) throw breaks('fileNotFound', 'Checkpoint-VM', vmId);
		mustBeOff(host, vm, 'Checkpoint-VM');
		await addLeaves(host, vm, `somebody's ${vm.checkpoints.length}`);
	});
}

/** Checkpoint-VM of the appliance, which runs: what it writes from then on goes to other files. */
export async function addApplianceCheckpoint(host: HostParts): Promise<void> {
	await cmdlet(host, 'Checkpoint-VM', async () => {
		for (const drive of host.state.applianceDrives) {
			const leaf = leafOver(drive.path);
			await newDifferencingVhd(host, { path: leaf, parent: drive.path });
			host.appliance.move(drive.path, leaf);
			drive.path = leaf;
		}
		await host.store.save();
	});
}

/** The checkpoint is gone when it returns, and what it has left is merged, while the machine runs or is off. */
export async function removeVmSnapshot(host: HostParts, vm: Vm, name: string): Promise<void> {
	await cmdlet(host, 'Remove-VMSnapshot', async () => {
		if (stateOf(host, vm) === 'Saved') throw breaks('wrongState', 'Remove-VMSnapshot', `${vm.name} is saved.`);
		if (vm.checkpoints.at(-1) !== name)
			throw breaks('checkpointInMidst', 'Remove-VMSnapshot', `${vm.name} has ${vm.checkpoints.join(', ')}.`);
		vm.checkpoints = vm.checkpoints.slice(0, -1);
		vm.merging = true;
		await host.store.save();
		mergeInBackground(host, vm);
	});
}

/** Of all drives at once: VMMS has one configuration or the other. */
async function addLeaves(host: HostParts, vm: Vm, name: string): Promise<void> {
	const leaves: string[] = [];
	for (const { path } of vm.drives) {
		const leaf = leafOver(path);
		await newDifferencingVhd(host, { path: leaf, parent: path });
		await grantAccess(host, leaf, accountOf(vm.vmId));
		leaves.push(leaf);
	}
	for (const [at, drive] of vm.drives.entries()) drive.path = leaves[at] ?? drive.path;
	vm.checkpoints = [...vm.checkpoints, name];
	await host.store.save();
}

/** As Hyper-V names it, as far as names of real hosts tell: with a GUID of its own. */
function leafOver(path: string): string {
	const name = nameOf(path).replace(/(_[\dA-F-]{36})?\.a?vhdx$/, '');
	return `${directoryOf(path)}\\${name}_${randomUUID().toUpperCase()}.avhdx`;
}
