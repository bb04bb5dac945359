import type { GuestNeeds } from '../boot-warnings.ts';
import type { QemuHardware } from './hardware.ts';

/** What a guest must have for the devices that command-line.ts gives it. Linux comes with all, unless somebody left them out. */
export function guestNeeds({ diskBus, nicModel }: Pick<QemuHardware, 'diskBus' | 'nicModel'>): GuestNeeds {
	return {
		platform: 'QEMU',
		linuxNics: [nicModel === 'virtio' ? 'virtio_net' : 'e1000e'],
		tellsUnknown: false,
		...(diskBus === 'virtio' ? virtioDisks : sataDisks),
	};
}

const virtioDisks = {
	family: 'virtio',
	linuxDisks: [['virtio_pci', 'virtio_blk']],
	windowsDisks: [['viostor']],
	diskName: 'vd',
	otherWay: 'give QEMU the option disks: sata',
};
/** `msahci` is what `storahci` was called before Windows 8. */
const sataDisks = {
	family: 'sata',
	linuxDisks: [['ahci', 'sd_mod']],
	windowsDisks: [['storahci'], ['msahci']],
	diskName: 'sd',
};
