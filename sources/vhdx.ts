/** What QEMU's tools do not tell of a VHDX: its sectors, its map, and whether it is only a part. [MS-VHDX], sections 2.2.3 and 2.6. */
import { guidText } from '../model/guid.ts';
import { type SectorSizes, sectorSizes } from './disk-facts.ts';
import { bytesAt, type OpenedFile } from './opened-file.ts';

/** Two copies of the region table: section 2.2. */
const regionTablesAt = [192 * 1024, 256 * 1024] as const;
/** Both tables have their entries of 32 bytes within 64 KiB. */
const tableBytes = 64 * 1024;
const entryBytes = 32;
const metadataRegion = '8b7ca206-4790-4b9a-b8fe-575f050f886e';
const blockTableRegion = '2dc27766-f623-4200-9d64-115e9bfd4a08';
/** Section 2.6.2.1: four bytes of block size, then flags. */
const fileParameters = 'caa16737-fa36-4d43-b3b6-33f0aa44e76b';
const hasParentBit = 2;
const virtualDiskSize = '2fa54224-cd1b-4876-b211-5dbed83bf4b8';
const logicalSectorSize = '8141bf1d-a96f-4709-ba47-f233a8faab5f';
const physicalSectorSize = 'cda348c7-445d-4471-9cc9-e9885251c556';

/** Undefined when the file does not say it where the specification has it. */
export async function vhdxSectors(file: OpenedFile): Promise<SectorSizes | undefined> {
	const regionAt = await regionAtBytes(file, metadataRegion);
	if (regionAt === undefined) return undefined;
	const logicalBytes = (await metadataItem(file, regionAt, logicalSectorSize))?.readUInt32LE(0);
	const physicalBytes = (await metadataItem(file, regionAt, physicalSectorSize))?.readUInt32LE(0);
	return logicalBytes && physicalBytes ? sectorSizes(logicalBytes, physicalBytes) : undefined;
}

/** Two copies of the header: section 2.2.2. */
const headersAt = [64 * 1024, 128 * 1024] as const;

/**
 * Whether its log has to be replayed before its other structures are what they say: section 2.3. A header that was torn is taken
 * as one that is whole, since nobody had closed it either.
 */
export async function vhdxHasLog(file: OpenedFile): Promise<boolean> {
	const headers = await Promise.all(headersAt.map(at => paddedBytesAt(file, at, 64)));
	const [last] = headers
		.filter(header => header.toString('latin1', 0, 4) === 'head')
		.toSorted((a, b) => Number(b.readBigUInt64LE(8) - a.readBigUInt64LE(8)));
	return last?.subarray(48, 64).some(byte => byte !== 0) ?? false; // LogGuid
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
