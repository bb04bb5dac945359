/** What QEMU's tools do not tell of a VHDX: its sectors, its map, and whether it is only a part. [MS-VHDX], sections 2.2.3 and 2.6. */
import { type SectorSizes, sectorSizes } from './disk-facts.ts';
import { guidText } from './guid.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';

/** Two copies of the region table: section 2.2. */
const regionTablesAt = [192 * 1024, 256 * 1024] as const;
/** Both tables have their entries of 32 bytes within 64 KiB. */
const tableBytes = 64 * 1024;
const entryBytes = 32;
const metadataRegion = '8B7CA206-4790-4B9A-B8FE-575F050F886E';
const blockTableRegion = '2DC27766-F623-4200-9D64-115E9BFD4A08';
/** Section 2.6.2.1: four bytes of block size, then flags. */
const fileParameters = 'CAA16737-FA36-4D43-B3B6-33F0AA44E76B';
const hasParentBit = 2;
const virtualDiskSize = '2FA54224-CD1B-4876-B211-5DBED83BF4B8';
const logicalSectorSize = '8141BF1D-A96F-4709-BA47-F233A8FAAB5F';
const physicalSectorSize = 'CDA348C7-445D-4471-9CC9-E9885251C556';

/** Undefined when the file does not say it where the specification has it. */
export async function vhdxSectors(file: OpenedFile): Promise<SectorSizes | undefined> {
	const regionAt = await regionAtBytes(file, metadataRegion);
	if (regionAt === undefined) return undefined;
	const logicalBytes = (await metadataItem(file, regionAt, logicalSectorSize))?.readUInt32LE(0);
	const physicalBytes = (await metadataItem(file, regionAt, physicalSectorSize))?.readUInt32LE(0);
	return logicalBytes && physicalBytes ? sectorSizes(logicalBytes, physicalBytes) : undefined;
}

/** Whether it is a differencing disk, whose other data is in another file. */
export async function vhdxHasParent(file: OpenedFile): Promise<boolean> {
	const regionAt = await regionAtBytes(file, metadataRegion);
	const parameters = regionAt === undefined ? undefined : await metadataItem(file, regionAt, fileParameters);
	return ((parameters?.readUInt32LE(4) ?? 0) & hasParentBit) !== 0;
}

export interface VhdxMap {
	tableAtBytes: number;
	virtualBytes: number;
	blockBytes: number;
	logicalBytes: number;
}

/** Where the block allocation table is, and what it maps; undefined when the file does not say it. */
export async function vhdxMap(file: OpenedFile): Promise<VhdxMap | undefined> {
	const tableAtBytes = await regionAtBytes(file, blockTableRegion);
	const metadataAt = await regionAtBytes(file, metadataRegion);
	if (tableAtBytes === undefined || metadataAt === undefined) return undefined;
	const size = await metadataItem(file, metadataAt, virtualDiskSize);
	const blockBytes = (await metadataItem(file, metadataAt, fileParameters))?.readUInt32LE(0);
	const logicalBytes = (await metadataItem(file, metadataAt, logicalSectorSize))?.readUInt32LE(0);
	if (size === undefined || blockBytes === undefined || logicalBytes === undefined) return undefined;
	return { tableAtBytes, virtualBytes: Number(size.readBigUInt64LE(0)), blockBytes, logicalBytes };
}

async function regionAtBytes(file: OpenedFile, region: string): Promise<number | undefined> {
	for (const tableAt of regionTablesAt) {
		const table = await paddedBytesAt(file, tableAt, tableBytes);
		if (table.toString('latin1', 0, 4) !== 'regi') continue;
		const entry = entriesOf(table, 16, table.readUInt32LE(8)).find(found => guidText(found) === region);
		if (entry) return Number(entry.readBigUInt64LE(16));
	}
	return undefined;
}

async function metadataItem(file: OpenedFile, regionAt: number, item: string): Promise<Buffer | undefined> {
	const table = await paddedBytesAt(file, regionAt, tableBytes);
	if (table.toString('latin1', 0, 8) !== 'metadata') return undefined;
	const entry = entriesOf(table, 32, table.readUInt16LE(10)).find(found => guidText(found) === item);
	return entry && (await paddedBytesAt(file, regionAt + entry.readUInt32LE(16), 8));
}

function entriesOf(table: Buffer, firstAt: number, count: number): Buffer[] {
	const there = Math.min(count, Math.floor((tableBytes - firstAt) / entryBytes));
	return Array.from({ length: there }, (_, index) => {
		const at = firstAt + index * entryBytes;
		return table.subarray(at, at + entryBytes);
	});
}

/** What lies behind the end of the file reads zero. */
async function paddedBytesAt(file: OpenedFile, at: number, lengthBytes: number): Promise<Buffer> {
	const bytes = await bytesAt(file, at, lengthBytes);
	return Buffer.concat([bytes, Buffer.alloc(lengthBytes - bytes.length)]);
}
