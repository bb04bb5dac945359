/** The metadata region: [MS-VHDX] 2.6. */
import { fileParameterFlags, itemFlags, items, metadataSignature, metadataTableBytes } from './constants.ts';
import { Fields } from './fields.ts';
import type { Geometry } from './geometry.ts';
import { metadataExtent } from './header-section.ts';

export type DiskType = 'fixed' | 'dynamic' | 'differencing';

interface Item {
	guid: string;
	bytes: Uint8Array;
	flags: number;
}

/** `locator`: the item of a differencing disk (parent-locator.ts). */
export function metadataRegion(
	geometry: Geometry,
	virtualDiskId: string,
	type: DiskType,
	locator?: Uint8Array,
): Uint8Array {
	const { isRequired, isVirtualDisk } = itemFlags;
	const ofDisk = isRequired | isVirtualDisk;
	const flags =
		(type === 'fixed' ? fileParameterFlags.leaveBlocksAllocated : 0) |
		(type === 'differencing' ? fileParameterFlags.hasParent : 0);
	const parameters = new Fields(8).u32(0, geometry.blockBytes).u32(4, flags).bytes;
	return region([
		{ guid: items.fileParameters, bytes: parameters, flags: isRequired },
		{ guid: items.virtualDiskSize, bytes: new Fields(8).u64(0, geometry.sizeBytes).bytes, flags: ofDisk },
		{ guid: items.virtualDiskId, bytes: new Fields(16).guid(0, virtualDiskId).bytes, flags: ofDisk },
		{ guid: items.logicalSectorSize, bytes: new Fields(4).u32(0, geometry.logicalSectorBytes).bytes, flags: ofDisk },
		{ guid: items.physicalSectorSize, bytes: new Fields(4).u32(0, geometry.physicalSectorBytes).bytes, flags: ofDisk },
		...(locator === undefined ? [] : [{ guid: items.parentLocator, bytes: locator, flags: isRequired }]),
	]);
}

function region(entries: Item[]): Uint8Array {
	const fields = new Fields(metadataExtent.lengthBytes).text(0, metadataSignature).u16(10, entries.length);
	let itemAt = metadataTableBytes;
	for (const [index, { guid, bytes, flags }] of entries.entries()) {
		const at = 32 + index * 32;
		fields
			.guid(at, guid)
			.u32(at + 16, itemAt)
			.u32(at + 20, bytes.length)
			.u32(at + 24, flags);
		fields.bytes.set(bytes, itemAt);
		itemAt += Math.ceil(bytes.length / 8) * 8;
	}
	return fields.bytes;
}
