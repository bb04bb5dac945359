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

/**
 * The VirtualDiskId in page 83 of a disk of Hyper-V, as Linux keeps it in `vpd_pg83`. The vendor designator has all of it;
 * the NAA one has 12 of its 16 bytes, and is not looked at. Undefined for another's disk, and for what is no such page.
 * As handle_vpd_device_identifiers does it in openvmm: vm/devices/storage/scsidisk/src/inquiry.rs
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
	if ((codeSet & 0x0f) !== codeSetBinary || (type & 0x3f) !== typeVendor) return undefined;
	const id = bytes.subarray(designatorHeader);
	if (id.length !== vendorBytes + guidBytes) return undefined;
	const vendor = Buffer.from(id.subarray(0, vendorBytes)).toString('latin1').trimEnd().toLowerCase();
	return vendor === 'msft' ? guidText(id.subarray(vendorBytes)) : undefined;
}
