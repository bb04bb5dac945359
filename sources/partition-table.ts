import { crc32 } from 'node:zlib';
import { guidText } from '../model/guid.ts';
import type { Firmware } from '../model/machine.ts';
import { type DiskSource, sequentialHeadBytes } from '../repository/import/disk-source.ts';

export interface Partition {
	/** GPT: the type's GUID in lower case. MBR: its byte as `0x83`. */
	type: string;
	/** As systems count: the place in the table, from 1 on. */
	number: number;
	startBytes: number;
	/** First byte after it. */
	endBytes: number;
}

export interface PartitionTable {
	scheme: 'gpt' | 'mbr';
	/** Of the disk when it was partitioned, as a GPT shows by where it lies; null for an MBR, which looks the same on all. */
	sectorBytes: (typeof sectorSizes)[number] | null;
	/** Whether the first sector begins with code, which a BIOS runs. */
	hasBootCode: boolean;
	/** At least one. */
	partitions: Partition[];
	/** Where the disk ended when it was partitioned, as a GPT tells; null for an MBR. */
	endBytes: number | null;
}

/** UEFI specification 2.10, table 5-7 and section 5.2.2. */
const efiSystemPartition = 'c12a7328-f81f-11d2-ba4b-00a0c93ec93b';
const mbrEfiSystemPartition = '0xef';
const mbrProtective = '0xee';
/**
 * Where boot loaders put themselves on a GPT disk that a BIOS boots: GRUB
 * (https://www.gnu.org/software/grub/manual/grub/html_node/BIOS-installation.html), FreeBSD (gptboot(8)).
 */
const biosBootPartitions = ['21686148-6449-6e6f-744e-656564454649', '83bd6b9d-7f41-11dc-be0b-001560b84f0f'];
/** What of the first sector is code: UEFI specification 2.10, table 5-4. */
const bootCodeBytes = 440;

/** Of disks as machines see them: 512, or 4096 on "4K native" ones. */
const sectorSizes = [512, 4096] as const;
/** The specification's minimum; what is larger is read no further than a table of 1,024 entries. */
const maximumEntriesBytes = 1024 * 128;

/** The firmware that boots a disk with this table. */
export function firmwareOf({ scheme, hasBootCode, partitions }: PartitionTable): Firmware {
	const has = (type: string) => partitions.some(partition => partition.type === type);
	if (has(scheme === 'gpt' ? efiSystemPartition : mbrEfiSystemPartition)) return 'efi';
	// OpenBSD, and syslinux, need no partition of their own beside the code.
	if (scheme === 'gpt') return hasBootCode || biosBootPartitions.some(has) ? 'bios' : 'efi';
	return 'bios';
}

/** What is needed of a disk here. */
type ReadableDisk = Pick<DiskSource, 'sizeBytes' | 'access' | 'read'>;

/** The table of a disk; undefined when it has none, or one without partitions, from which nothing boots. */
export async function readPartitionTable(
	source: ReadableDisk,
	signal: AbortSignal,
): Promise<PartitionTable | undefined> {
	const sector = await bytesAt(source, 0, 512, signal);
	if (sector === undefined) return undefined;
	const mbr = parseMbr(sector);
	if (mbr === undefined) return undefined;
	const hasBootCode = sector.subarray(0, bootCodeBytes).some(byte => byte !== 0);
	// A GPT counts only behind a protective MBR: one left over from before the disk was partitioned anew does not.
	if (mbr.some(({ type }) => type === mbrProtective)) {
		const gpt = await readGpt(source, signal);
		if (gpt !== undefined) return gpt.partitions.length > 0 ? { ...gpt, hasBootCode } : undefined;
	}
	return mbr.length > 0
		? { scheme: 'mbr', sectorBytes: null, hasBootCode, partitions: mbr, endBytes: null }
		: undefined;
}

function parseMbr(sector: Buffer): Partition[] | undefined {
	if (sector.readUInt16LE(510) !== 0xaa55) return undefined;
	const partitions: Partition[] = [];
	for (let at = 446; at < 510; at += 16) {
		const status = sector.readUInt8(at);
		const type = sector.readUInt8(at + 4);
		const start = sector.readUInt32LE(at + 8);
		const sectors = sector.readUInt32LE(at + 12);
		// Boot sectors of file systems end in the same signature, with code or text where entries would be.
		if (status !== 0 && status !== 0x80) return undefined;
		if (type === 0) continue;
		if (start === 0 || sectors === 0) return undefined;
		const name = `0x${type.toString(16).padStart(2, '0')}`;
		// A protective entry may span more than the disk has: 0xffffffff sectors stand for "all".
		const startBytes = start * 512;
		const endBytes = name === mbrProtective ? 0 : startBytes + sectors * 512;
		partitions.push({ type: name, number: (at - 446) / 16 + 1, startBytes, endBytes });
	}
	return partitions;
}

/** By the primary header, or the one at the end of the disk when that is damaged. */
async function readGpt(
	source: ReadableDisk,
	signal: AbortSignal,
): Promise<Omit<PartitionTable, 'hasBootCode'> | undefined> {
	for (const sectorBytes of sectorSizes) {
		for (const lba of [1, Math.floor(source.sizeBytes / sectorBytes) - 1]) {
			const header = await bytesAt(source, lba * sectorBytes, 512, signal);
			const place = header && parseGptHeader(header, lba);
			if (!place) continue;
			const bytes = await bytesAt(source, place.entriesLba * sectorBytes, place.count * place.entryBytes, signal);
			if (bytes === undefined || crc32(bytes) !== place.entriesCrc) continue;
			const partitions = parseGptEntries(bytes, place.entryBytes, sectorBytes);
			return { scheme: 'gpt', sectorBytes, partitions, endBytes: (place.lastLba + 1) * sectorBytes };
		}
	}
	return undefined;
}

interface GptPlace {
	entriesLba: number;
	count: number;
	entryBytes: number;
	entriesCrc: number;
	/** The headers are the disk's second sector and its last one. */
	lastLba: number;
}

/** UEFI specification 2.10, table 5-5. */
function parseGptHeader(sector: Buffer, lba: number): GptPlace | undefined {
	const headerBytes = sector.readUInt32LE(12);
	if (sector.toString('latin1', 0, 8) !== 'EFI PART' || headerBytes < 92 || headerBytes > 512) return undefined;
	const header = Buffer.from(sector.subarray(0, headerBytes));
	const crc = header.readUInt32LE(16);
	header.writeUInt32LE(0, 16);
	if (crc32(header) !== crc || header.readBigUInt64LE(24) !== BigInt(lba)) return undefined;
	const entriesLba = header.readBigUInt64LE(72);
	const count = header.readUInt32LE(80);
	const entryBytes = header.readUInt32LE(84);
	if (entryBytes < 128 || entryBytes % 8 !== 0 || count * entryBytes > maximumEntriesBytes) return undefined;
	if (entriesLba > BigInt(Number.MAX_SAFE_INTEGER) / 4096n) return undefined;
	const lastLba = Math.max(lba, Number(header.readBigUInt64LE(32)));
	return { entriesLba: Number(entriesLba), count, entryBytes, entriesCrc: header.readUInt32LE(88), lastLba };
}

/** UEFI specification 2.10, table 5-6. */
function parseGptEntries(bytes: Buffer, entryBytes: number, sectorBytes: number): Partition[] {
	const partitions: Partition[] = [];
	for (let at = 0; at < bytes.length; at += entryBytes) {
		const entry = bytes.subarray(at, at + entryBytes);
		if (entry.subarray(0, 16).every(byte => byte === 0)) continue;
		const startBytes = Number(entry.readBigUInt64LE(32)) * sectorBytes;
		const endBytes = (Number(entry.readBigUInt64LE(40)) + 1) * sectorBytes;
		partitions.push({ type: guidText(entry), number: at / entryBytes + 1, startBytes, endBytes });
	}
	return partitions;
}

/** Undefined when the disk is too small to have them, or comes in order and has gone by then. */
async function bytesAt(
	source: ReadableDisk,
	offsetBytes: number,
	lengthBytes: number,
	signal: AbortSignal,
): Promise<Buffer | undefined> {
	if (offsetBytes < 0 || offsetBytes + lengthBytes > source.sizeBytes) return undefined;
	if (source.access === 'sequential' && offsetBytes + lengthBytes > sequentialHeadBytes) return undefined;
	const bytes = Buffer.alloc(lengthBytes);
	if (lengthBytes > 0) await source.read(offsetBytes, bytes, signal);
	return bytes;
}
