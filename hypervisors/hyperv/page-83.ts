import { guidText } from '../../model/guid.ts';

/** SPC-4, 7.8.6.1: a page begins with four bytes, each designator in it with four. */
const pageHeader = 4;
const designatorHeader = 4;
const pageCode = 0x83;
const codeSetBinary = 1;
/** A designator of the T10 vendor form: eight characters of a vendor, then what the vendor likes. */
const typeVendor = 1;
const vendorBytes = 8;
const guidBytes = 16;
const codeSetAscii = 2;
const typeVendorSpecific = 0;
/**
 * QEMU's disks have no designator of the vendor form, and one of ASCII with what its user says: `device_id` of scsi-hd
 * (scsi_disk_emulate_vpd_page of hw/scsi/scsi-disk.c). An appliance there is given its disks under this name.
 */
export const qemuDeviceId = (virtualDiskId: string) => `rouse-vhdx-${virtualDiskId}`;
const inQemu = /^rouse-vhdx-([\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/;

/**
 * The VirtualDiskId in page 83 of a disk of Hyper-V, as Linux keeps it in `vpd_pg83`. The vendor designator has all of it;
 * the NAA one has 12 of its 16 bytes, and is not looked at. Undefined for another's disk, and for what is no such page.
 * As handle_vpd_device_identifiers does it in openvmm: vm/devices/storage/scsidisk/src/inquiry.rs. In QEMU it is what the disk was
 * given as {@link qemuDeviceId}.
 */
export function virtualDiskIdOf(page: Uint8Array): string | undefined {
	const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
	if (page.length < pageHeader || page[1] !== pageCode) return undefined;
	const end = pageHeader + view.getUint16(2);
	if (end > page.length) return undefined;
	let at = pageHeader;
	while (at + designatorHeader <= end) {
		const next = at + designatorHeader + view.getUint8(at + 3);
		if (next > end) return undefined;
		const id = ofDesignator(page.subarray(at, next));
		if (id !== undefined) return id;
		at = next;
	}
	return undefined;
}

function ofDesignator(bytes: Uint8Array): string | undefined {
	const [codeSet = 0, type = 0] = bytes;
	// Of the second byte the upper half tells whom it designates: 0 is the disk itself.
	const form = [codeSet & 0x0f, type & 0x3f];
	const id = bytes.subarray(designatorHeader);
	if (form[0] === codeSetAscii && form[1] === typeVendorSpecific)
		return inQemu.exec(Buffer.from(id).toString('latin1'))?.[1];
	if (form[0] !== codeSetBinary || form[1] !== typeVendor) return undefined;
	if (id.length !== vendorBytes + guidBytes) return undefined;
	const vendor = Buffer.from(id.subarray(0, vendorBytes)).toString('latin1').trimEnd().toLowerCase();
	return vendor === 'msft' ? guidText(id.subarray(vendorBytes)) : undefined;
}
