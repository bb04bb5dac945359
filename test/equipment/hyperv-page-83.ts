import { guidBytes } from '../../model/guid.ts';

/**
 * Page 83 of a disk of Hyper-V, byte by byte as handle_vpd_device_identifiers makes it in openvmm
 * (vm/devices/storage/scsidisk/src/inquiry.rs): a T10 vendor designator with the whole id, an NAA one with its ends.
 */
export function hypervPage83(virtualDiskId: string): Buffer {
	const id = guidBytes(virtualDiskId);
	const vendor = [1, 1, 0, 24, ...Buffer.from('Msft    ', 'latin1'), ...id];
	const naa = [1, 3, 0, 16, 0x60, 0x02, 0x24, 0x80, ...id.subarray(0, 6), ...id.subarray(10)];
	return Buffer.from([0, 0x83, 0, vendor.length + naa.length, ...vendor, ...naa]);
}
