import { guidBytes } from '../../../model/guid.ts';

/**
 * The device identification page (83h) of a disk of Hyper-V, as a SCSI INQUIRY answers it and Linux keeps it in `vpd_pg83`.
 * From `handle_vpd_device_identifiers` of openvmm, Microsoft's own and MIT-licensed implementation of the same devices:
 * https://github.com/microsoft/openvmm, vm/devices/storage/scsidisk/src/inquiry.rs at 3240a0e9. What a real host gives is to
 * be looked at on one. All of it, 52 bytes:
 *
 *     0  00 83 00 30            direct access device; page; reserved; length of what follows
 *     4  01 01 00 18            binary; T10 vendor identification, of the logical unit; reserved; length
 *     8  "Msft    "             vendor, 8 characters
 *    16  VirtualDiskId          all 16 bytes, as a GUID lies in memory on Windows: its first three fields little-endian
 *    32  01 03 00 10            binary; NAA, of the logical unit; reserved; length
 *    36  60 02 24 80            NAA 6 and 00-22-48, the organization's number of Microsoft
 *    40  VirtualDiskId          its bytes 0 to 5
 *    46  VirtualDiskId          its bytes 10 to 15
 *
 * So the NAA name has 12 of 16 bytes: two disks may share it, as far as it goes. The vendor form alone tells them apart.
 */
export function page83(virtualDiskId: string): Buffer {
	const id = guidBytes(virtualDiskId);
	return Buffer.concat([
		Buffer.from([0x00, 0x83, 0x00, 0x30]),
		Buffer.from([0x01, 0x01, 0x00, 0x18]),
		Buffer.from('Msft    ', 'latin1'),
		id,
		Buffer.from([0x01, 0x03, 0x00, 0x10]),
		Buffer.from([0x60, 0x02, 0x24, 0x80]),
		id.subarray(0, 6),
		id.subarray(10),
	]);
}
