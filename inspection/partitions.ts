import { partOf, type Volume } from './volume.ts';

/** As sources/partition-table.ts reads it. */
export interface PartitionPlace {
	type: string;
	number: number;
	startBytes: number;
	endBytes: number;
}

/** Those that hold logical ones: https://www.win.tue.nl/~aeb/partitions/partition_types-1.html */
const extendedTypes = ['0x05', '0x0f', '0x85'];
const protective = '0xee';
const sectorBytes = 512;
const mostLogical = 60;

/** The partitions of a disk as volumes of their own, or the disk itself when it has none. */
export async function partitionsOf(disk: Volume, table: readonly PartitionPlace[] | undefined): Promise<Volume[]> {
	if (table === undefined) return [disk];
	const volumes: Volume[] = [];
	for (const { type, number, startBytes, endBytes } of table) {
		const sizeBytes = Math.min(endBytes, disk.sizeBytes) - startBytes;
		if (sizeBytes <= 0 || type === protective) continue;
		if (extendedTypes.includes(type)) volumes.push(...(await logicalOnes(disk, startBytes, endBytes)));
		else volumes.push(partOf(disk, `${disk.name} partition ${number}`, startBytes, sizeBytes));
	}
	return volumes;
}

/** A chain of boot records, each with a partition behind itself and the place of the next one, counted from the first. */
async function logicalOnes(disk: Volume, firstBytes: number, endBytes: number): Promise<Volume[]> {
	const volumes: Volume[] = [];
	const seen = new Set<number>();
	let at = firstBytes;
	while (!seen.has(at) && seen.size < mostLogical && at + sectorBytes <= Math.min(endBytes, disk.sizeBytes)) {
		seen.add(at);
		const record = await disk.read(at, sectorBytes);
		if (record.readUInt16LE(510) !== 0xaa55) break;
		const startBytes = at + record.readUInt32LE(446 + 8) * sectorBytes;
		const sizeBytes = Math.min(record.readUInt32LE(446 + 12) * sectorBytes, disk.sizeBytes - startBytes);
		if (record.readUInt8(446 + 4) !== 0 && startBytes > at && sizeBytes > 0)
			volumes.push(partOf(disk, `${disk.name} partition ${4 + seen.size}`, startBytes, sizeBytes));
		const next = record.readUInt32LE(462 + 8);
		if (next === 0) break;
		at = firstBytes + next * sectorBytes;
	}
	return volumes;
}
