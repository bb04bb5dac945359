import type { GuestNeeds } from '../boot-warnings.ts';

/**
 * What Linux must have for the devices of Hyper-V: drivers/hv, drivers/scsi/storvsc_drv.c (whose disks `sd_mod` shows) and
 * drivers/net/hyperv of Linux. Some kernels for clouds come without.
 * Windows comes with its drivers, but not every one starts them when it boots.
 */
export const hypervGuest: GuestNeeds = {
	platform: 'Hyper-V',
	family: 'hyperv',
	disks: ['hv_vmbus', 'hv_storvsc', 'sd_mod'],
	nics: ['hv_netvsc'],
	diskName: 'sd',
	windowsDisks: [['vmbus'], ['storvsc']],
	tellsUnknown: true,
};

/**
 * With IDE disks alone a guest starts without drivers of Hyper-V: the controller is that of Intel's 440BX chipset, which every
 * system has drivers for. Whether Linux has `ata_piix` nobody looks.
 */
export const hypervIdeGuest: GuestNeeds = {
	...hypervGuest,
	disks: [],
	windowsDisks: [
		['intelide', 'vmbus'],
		['atapi', 'storvsc'],
	],
	tellsUnknown: false,
};
