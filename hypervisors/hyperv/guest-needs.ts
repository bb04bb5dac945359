import type { GuestNeeds } from '../boot-warnings.ts';
import type { HypervHardware } from './hardware.ts';

/**
 * What a guest must have for the devices of Hyper-V. Linux: drivers/hv, drivers/scsi/storvsc_drv.c (whose disks `sd_mod`
 * shows) and drivers/net/hyperv; some kernels for clouds come without. The places on IDE of generation 1 are an emulated PIIX4
 * as well, for a guest that does not know better. Windows comes with its drivers, but not every one starts them when it boots.
 */
export function hypervGuest({ disks }: Pick<HypervHardware, 'disks'>): GuestNeeds {
	const onlyIde = disks.every(({ slot }) => slot.controller === 'IDE');
	return {
		platform: 'Hyper-V',
		family: 'hyperv',
		linuxDisks: [['hv_vmbus', 'hv_storvsc', 'sd_mod'], ...(onlyIde ? [['ata_piix', 'sd_mod']] : [])],
		linuxNics: ['hv_netvsc'],
		windowsDisks: [['vmbus', 'storvsc'], ...(onlyIde ? [['atapi', 'intelide']] : [])],
		diskName: 'sd',
		// Hardly a system comes without drivers for that emulated one.
		tellsUnknown: !onlyIde,
	};
}
