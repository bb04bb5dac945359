/** The first MiB of a file: identifier, headers, region tables ([MS-VHDX] 2.2), as they are when nothing is in the log. */
import {
	fileSignature,
	formatVersion,
	headerBytes,
	headerSignature,
	headersAtBytes,
	logVersion,
	mebibyte,
	regionSignature,
	regions,
	regionTableBytes,
	regionTablesAtBytes,
} from './constants.ts';
import { crc32c } from './crc32c.ts';
import { Fields } from './fields.ts';

/** What names a file and its state. Made by the caller, who records them before use; GUIDs in any case, without braces. */
export interface FileIds {
	/** Another one whenever a file is opened for writing: 2.2.2. */
	readonly fileWriteGuid: string;
	/** Another one whenever the disk's content changes. A child names its parent by it: 2.2.2, 2.6.2.6.3. */
	readonly dataWriteGuid: string;
	/** What the guest sees as the disk's page 83, the same in parent and child: 2.6.2.3. */
	readonly virtualDiskId: string;
}

export interface Extent {
	readonly atBytes: number;
	readonly lengthBytes: number;
}

/** Log, metadata and BAT, in this order as Hyper-V lays them. */
export const logExtent: Extent = { atBytes: mebibyte, lengthBytes: mebibyte };
export const metadataExtent: Extent = { atBytes: 2 * mebibyte, lengthBytes: mebibyte };
export const tableAtBytes = 3 * mebibyte;

/** For people who look at the file: 2.2.1. */
const creator = 'Rouse';

export function headerSection(ids: FileIds, tableBytes: number): Uint8Array {
	const section = new Uint8Array(mebibyte);
	section.set(new Fields(64 * 1024).text(0, fileSignature).utf16(8, creator).bytes);
	for (const [index, at] of headersAtBytes.entries()) section.set(header(ids, index + 1), at);
	const table = regionTable([
		{ guid: regions.blockTable, atBytes: tableAtBytes, lengthBytes: tableBytes },
		{ guid: regions.metadata, ...metadataExtent },
	]);
	for (const at of regionTablesAtBytes) section.set(table, at);
	return section;
}

/** A log GUID of zeros says that there is nothing to replay: 2.2.2. */
function header({ fileWriteGuid, dataWriteGuid }: FileIds, sequenceNumber: number): Uint8Array {
	const fields = new Fields(headerBytes)
		.text(0, headerSignature)
		.u64(8, sequenceNumber)
		.guid(16, fileWriteGuid)
		.guid(32, dataWriteGuid)
		.u16(64, logVersion)
		.u16(66, formatVersion)
		.u32(68, logExtent.lengthBytes)
		.u64(72, logExtent.atBytes);
	return fields.u32(4, crc32c(fields.bytes)).bytes;
}

function regionTable(entries: ({ guid: string } & Extent)[]): Uint8Array {
	const fields = new Fields(regionTableBytes).text(0, regionSignature).u32(8, entries.length);
	for (const [index, { guid, atBytes, lengthBytes }] of entries.entries()) {
		const at = 16 + index * 32;
		fields
			.guid(at, guid)
			.u64(at + 16, atBytes)
			.u32(at + 24, lengthBytes)
			.u32(at + 28, 1);
	}
	return fields.u32(4, crc32c(fields.bytes)).bytes;
}
