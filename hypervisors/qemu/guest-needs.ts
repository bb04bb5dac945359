import type { GuestNeeds } from '../boot-warnings.ts';
import type { QemuHardware } from './hardware.ts';

/** What a guest must have for the devices that command-line.ts gives it. Linux comes with all of them, unless somebody left them out. */
export function guestNeeds({ diskBus, nicModel }: Pick<QemuHardware, 'diskBus' | 'nicModel'>): GuestNeeds {
	return {
		platform: 'QEMU',
		nics: [nicModel === 'virtio' ? 'virtio_net' : 'e1000e'],
		tellsUnknown: false,
		...(diskBus === 'virtio' ? virtioDisks : sataDisks),
	};
}

const virtioDisks = {
	family: 'virtio',
	disks: ['virtio_pci', 'virtio_blk'],
	diskName: 'vd',
	windowsDisks: [['viostor']],
	otherWay: 'give QEMU the option disks: sata',
};
const sataDisks = { family: 'sata', disks: ['ahci', 'sd_mod'], diskName: 'sd', windowsDisks: [['storahci', 'msahci']] };
