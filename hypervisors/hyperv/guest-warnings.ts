import type { MachineConfig } from '../../model/machine.ts';
import { bootWarnings } from '../boot-warnings.ts';
import { securityWarnings } from '../security-warnings.ts';
import { hypervGuest } from './guest-needs.ts';
import type { HypervHardware } from './hardware.ts';

/** What a person should know before this guest is started on Hyper-V. */
export function guestWarnings(config: MachineConfig, hardware: HypervHardware): string[] {
	return [
		...driverWarnings(config, hardware),
		...firmwareWarnings(config, hardware),
		...diskWarnings(config, hardware),
	];
}

/** What was found on its disks tells; of what nobody looked into, or knows how to, that is said. */
function driverWarnings(config: MachineConfig, hardware: HypervHardware): string[] {
	const { os, drivers, boot } = config;
	if (os === 'linux' || boot?.windows) return bootWarnings(config, hypervGuest(hardware));
	if (drivers.some(({ name }) => name === 'hyperv')) return [];
	if (os === 'windows')
		return [
			'it is not known whether Windows starts with drivers for disks of Hyper-V: without them it stops at INACCESSIBLE_BOOT_DEVICE',
		];
	return [
		'it is not known whether the guest has drivers of Hyper-V: without them it finds neither disks on SCSI nor network cards',
	];
}

function firmwareWarnings(config: MachineConfig, { generation, secureBoot: chosen }: HypervHardware): string[] {
	const isEfi = config.firmware === 'efi';
	const other = `it started by ${isEfi ? 'UEFI' : 'a BIOS'}, which generation ${generation} does not have`;
	return [
		...(isEfi === (generation === 2) ? [] : [other]),
		...securityWarnings(config, { withSecureBoot: chosen !== 'Off' }),
	];
}

function diskWarnings({ disks }: MachineConfig, hardware: HypervHardware): string[] {
	return disks.flatMap(({ serial }, index) => {
		const warnings: string[] = [];
		if (serial) warnings.push(`disk${index}: its serial ${JSON.stringify(serial)} is not shown to the guest`);
		// Told by others and documented nowhere: the BIOS of generation 1 reads sectors of 512 bytes.
		const chosen = hardware.disks[index];
		if (chosen?.slot.controller === 'IDE' && chosen.logicalSectorBytes === 4096)
			warnings.push(`disk${index} has sectors of 4096 bytes, from which generation 1 does not start`);
		return warnings;
	});
}
