import type { HostParts } from '../parts.ts';
import { breaks } from '../rules.ts';
import { directoryOf, nameOf } from '../windows-paths.ts';
import { addDrive } from './drives.ts';
import { cmdlet } from './reached.ts';
import { newDifferencingVhd } from './vhd.ts';
import { mustBeOff } from './vm.ts';

/** Checkpoint-VM of a machine that is off: a new differencing disk on each leaf takes the leaf's place. */
export async function addCheckpoint(host: HostParts, vmId: string): Promise<void> {
	await cmdlet(host, 'Checkpoint-VM', async () => {
		const vm = host.state.vms.find(one => one.vmId === vmId);
		if (vm === undefined) throw breaks('fileNotFound', 'Checkpoint-VM', vmId);
		mustBeOff(host, vm, 'Checkpoint-VM');
		const drives = vm.drives;
		vm.drives = [];
		for (const { slot, path } of drives) {
			const { controller, number, location } = slot;
			const leaf = leafOver(host, path);
			await newDifferencingVhd(host, { path: leaf, parent: path });
			await addDrive(host, vm, { controller, number, location }, leaf);
		}
		vm.checkpoints += 1;
		await host.store.save();
	});
}

/** Checkpoint-VM of the appliance, which runs: what it writes from then on goes to other files. */
export async function addApplianceCheckpoint(host: HostParts): Promise<void> {
	await cmdlet(host, 'Checkpoint-VM', async () => {
		for (const drive of host.state.applianceDrives) {
			const leaf = leafOver(host, drive.path);
			await newDifferencingVhd(host, { path: leaf, parent: drive.path });
			host.appliance.move(drive.path, leaf);
			drive.path = leaf;
		}
		await host.store.save();
	});
}

function leafOver({ state }: HostParts, path: string): string {
	return `${directoryOf(path)}\\${nameOf(path).replace(/\.a?vhdx$/, '')}_${state.boots}.avhdx`;
}
