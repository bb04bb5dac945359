import type { MachineConfig } from '../../model/machine.ts';
import type { HypervHardware } from './hardware.ts';

/** What a person should know before this guest is started on Hyper-V. */
export function guestWarnings(config: MachineConfig, hardware: HypervHardware): string[] {
	return [
		...driverWarnings(config, hardware),
		...firmwareWarnings(config, hardware),
		...diskWarnings(config, hardware),
	];
}

/** https://learn.microsoft.com/troubleshoot/azure/virtual-machines/linux/linux-hyperv-issue */
function driverWarnings({ os, drivers, nics }: MachineConfig, { disks }: HypervHardware): string[] {
	if (drivers.some(({ name }) => name === 'hyperv')) return [];
	if (os === 'windows')
		return [
			'it is not known whether Windows starts with drivers for disks of Hyper-V: without them it stops at INACCESSIBLE_BOOT_DEVICE',
		];
	const needs = [
		...(disks.some(({ slot }) => slot.controller === 'SCSI') ? ['its disks on SCSI'] : []),
		...(nics.length > 0 ? ['its network cards'] : []),
	];
	if (needs.length === 0) return [];
	const which = os === 'linux' ? 'hv_vmbus, hv_storvsc and hv_netvsc in its initramfs' : 'drivers of Hyper-V';
	return [`it is not known whether the guest has ${which}: without them it has not ${needs.join(' and not ')}`];
}

function firmwareWarnings(
	{ os, firmware, secureBoot, vtpm, efiVariables, drivers }: MachineConfig,
	{ generation, secureBoot: chosen }: HypervHardware,
): string[] {
	const warnings: string[] = [];
	if ((firmware === 'efi') !== (generation === 2))
		warnings.push(
			`it started by ${firmware === 'efi' ? 'UEFI' : 'a BIOS'}, which generation ${generation} does not have`,
		);
	if (secureBoot === true && chosen === 'Off') warnings.push('Secure Boot was on: the machine starts without it');
	if (vtpm === true) {
		const keys = os === 'windows' ? 'BitLocker asks for its recovery key' : 'keys that were sealed to it are needed';
		warnings.push(`it had a TPM, and gets none: ${keys}`);
	}
	if (efiVariables !== null && efiVariables.length > 0)
		warnings.push('its EFI variables are not carried over: the firmware looks itself for what to start');
	if (os === 'linux' && drivers.some(({ name }) => name === 'xen' || name === 'nvme' || name === 'virtio'))
		warnings.push('where its fstab or boot loader names disks as /dev/vda, nvme0n1 or xvda it does not find them here');
	return warnings;
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
