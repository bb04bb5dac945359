/** The one thing of a VHDX that QEMU's tools do not tell: the sectors its disk has. [MS-VHDX], sections 2.2.3 and 2.6. */
import { type FileHandle, open } from 'node:fs/promises';
import { type SectorSizes, sectorSizes } from './disk-facts.ts';
import { guidText } from './guid.ts';

/** Two copies of the region table: section 2.2. */
const regionTablesAt = [192 * 1024, 256 * 1024] as const;
/** Both tables have their entries of 32 bytes within 64 KiB. */
const tableBytes = 64 * 1024;
const entryBytes = 32;
const metadataRegion = '8B7CA206-4790-4B9A-B8FE-575F050F886E';
const logicalSectorSize = '8141BF1D-A96F-4709-BA47-F233A8FAAB5F';
const physicalSectorSize = 'CDA348C7-445D-4471-9CC9-E9885251C556';

/** Undefined when the file does not say it where the specification has it. */
export async function vhdxSectors(path: string): Promise<SectorSizes | undefined> {
	const file = await open(path, 'r');
	try {
		const regionAt = await metadataRegionAt(file);
		if (regionAt === undefined) return undefined;
		const logicalBytes = await metadataItem(file, regionAt, logicalSectorSize);
		const physicalBytes = await metadataItem(file, regionAt, physicalSectorSize);
		return logicalBytes && physicalBytes ? sectorSizes(logicalBytes, physicalBytes) : undefined;
	} finally {
		await file.close();
	}
}

async function metadataRegionAt(file: FileHandle): Promise<number | undefined> {
	for (const tableAt of regionTablesAt) {
		const table = await bytesAt(file, tableAt, tableBytes);
		if (table.toString('latin1', 0, 4) !== 'regi') continue;
		const entry = entriesOf(table, 16, table.readUInt32LE(8)).find(found => guidText(found) === metadataRegion);
		if (entry) return Number(entry.readBigUInt64LE(16));
	}
	return undefined;
}

async function metadataItem(file: FileHandle, regionAt: number, item: string): Promise<number | undefined> {
	const table = await bytesAt(file, regionAt, tableBytes);
	if (table.toString('latin1', 0, 8) !== 'metadata') return undefined;
	const entry = entriesOf(table, 32, table.readUInt16LE(10)).find(found => guidText(found) === item);
	return entry && (await bytesAt(file, regionAt + entry.readUInt32LE(16), 4)).readUInt32LE(0);
}

function entriesOf(table: Buffer, firstAt: number, count: number): Buffer[] {
	const there = Math.min(count, Math.floor((tableBytes - firstAt) / entryBytes));
	return Array.from({ length: there }, (_, index) => {
		const at = firstAt + index * entryBytes;
		return table.subarray(at, at + entryBytes);
	});
}

/** What lies behind the end of the file reads zero. */
async function bytesAt(file: FileHandle, at: number, lengthBytes: number): Promise<Buffer> {
	const bytes = Buffer.alloc(lengthBytes);
	await file.read(bytes, 0, lengthBytes, at);
	return bytes;
}
