/** A disk with a GUID partition table and one partition: UEFI specification 2.10, chapter 5. */
import { crc32 } from 'node:zlib';
import { guidBytes } from '../model/guid.ts';

const sectorBytes = 512;
/** The least that the specification allows: 128 entries of 128 bytes, 32 sectors. */
const entries = { count: 128, bytes: 128 };
const entriesSectors = (entries.count * entries.bytes) / sectorBytes;
const headerBytes = 92;

/** "Basic data": https://learn.microsoft.com/en-us/windows/win32/api/winioctl/ns-winioctl-partition_information_gpt */
const basicDataPartition = 'ebd0a0a2-b9e5-4433-87c0-68b6b72699c7';
/** GPT_BASIC_DATA_ATTRIBUTE_NO_DRIVE_LETTER, on the same page. */
const noDriveLetter = 1n << 63n;

export interface GptDisk {
	/** Whole sectors of 512 bytes. */
	sizeBytes: number;
	diskGuid: string;
	partition: { guid: string; offsetBytes: number; sizeBytes: number; name: string };
}

/** The disk's first bytes (protective MBR, header, entries) and its last (entries, header); Windows gives the partition no drive letter. */
export function gpt(disk: GptDisk): { head: Buffer; tail: Buffer } {
	const sectors = disk.sizeBytes / sectorBytes;
	const table = partitionEntries(disk.partition);
	const primary = header(disk, { at: 1, other: sectors - 1, entriesAt: 2, entriesCrc: crc32(table) });
	const backup = header(disk, {
		at: sectors - 1,
		other: 1,
		entriesAt: sectors - 1 - entriesSectors,
		entriesCrc: crc32(table),
	});
	return {
		head: Buffer.concat([protectiveMbr(sectors), primary, table]),
		tail: Buffer.concat([table, backup]),
	};
}

/** 5.2.3: one partition over all, as far as 32 bits reach. */
function protectiveMbr(sectors: number): Buffer {
	const sector = Buffer.alloc(sectorBytes);
	sector.set([0, 0x00, 0x02, 0x00, 0xee, 0xff, 0xff, 0xff], 446);
	sector.writeUInt32LE(1, 454);
	sector.writeUInt32LE(Math.min(sectors - 1, 0xffffffff), 458);
	sector.writeUInt16LE(0xaa55, 510);
	return sector;
}

/** Table 5-5. */
function header(
	{ sizeBytes, diskGuid }: GptDisk,
	place: { at: number; other: number; entriesAt: number; entriesCrc: number },
): Buffer {
	const sectors = sizeBytes / sectorBytes;
	const sector = Buffer.alloc(sectorBytes);
	sector.write('EFI PART', 0, 'latin1');
	sector.writeUInt32LE(0x00010000, 8);
	sector.writeUInt32LE(headerBytes, 12);
	sector.writeBigUInt64LE(BigInt(place.at), 24);
	sector.writeBigUInt64LE(BigInt(place.other), 32);
	sector.writeBigUInt64LE(BigInt(2 + entriesSectors), 40);
	sector.writeBigUInt64LE(BigInt(sectors - 2 - entriesSectors), 48);
	sector.set(guidBytes(diskGuid), 56);
	sector.writeBigUInt64LE(BigInt(place.entriesAt), 72);
	sector.writeUInt32LE(entries.count, 80);
	sector.writeUInt32LE(entries.bytes, 84);
	sector.writeUInt32LE(place.entriesCrc, 88);
	sector.writeUInt32LE(crc32(sector.subarray(0, headerBytes)), 16);
	return sector;
}

/** Table 5-6. */
function partitionEntries({ guid, offsetBytes, sizeBytes, name }: GptDisk['partition']): Buffer {
	const table = Buffer.alloc(entries.count * entries.bytes);
	table.set(guidBytes(basicDataPartition), 0);
	table.set(guidBytes(guid), 16);
	table.writeBigUInt64LE(BigInt(offsetBytes / sectorBytes), 32);
	table.writeBigUInt64LE(BigInt((offsetBytes + sizeBytes) / sectorBytes - 1), 40);
	table.writeBigUInt64LE(noDriveLetter, 48);
	table.write(name.slice(0, 36), 56, 'utf16le');
	return table;
}
