/**
 * A record of the MFT as it is on disk and in memory. On disk the last two bytes of each sector are the record's update
 * sequence number, and what belongs there is in the update sequence array: a torn write shows. ntfs-3g: MFT_RECORD and
 * NTFS_RECORD (include/ntfs-3g/layout.h), libntfs-3g/mst.c.
 */
import { damaged } from './damaged.ts';

const sectorBytes = 512;

/** In a record's header. */
const at = { arrayOffset: 4, arrayCount: 6, flags: 22, bytesInUse: 24, bytesAllocated: 28, base: 32, number: 44 };
const headerBytes = 48;

/** Those before are the file system's own: FILE_first_user of ntfs-3g. */
const firstUserRecord = 24;

export interface MftRecord {
	number: number;
	/** With what belongs into it at the end of its sectors. */
	bytes: Buffer;
	bytesInUse: number;
}

/** Undefined for a record that is not in use. Throws `format_damaged`. */
export function decodeRecord(onDisk: Buffer, number: number): MftRecord | undefined {
	if (onDisk.every(byte => byte === 0)) return undefined;
	if (onDisk.toString('latin1', 0, 4) !== 'FILE') throw damaged(`record ${number} does not begin with FILE`);
	const bytes = Buffer.from(onDisk);
	for (const { end, saved } of sectorEnds(bytes, number)) {
		if (bytes.readUInt16LE(end) !== bytes.readUInt16LE(arrayAt(bytes)))
			throw damaged(`record ${number} is torn: at ${end} is not its update sequence number`);
		bytes.writeUInt16LE(bytes.readUInt16LE(saved), end);
	}
	const bytesInUse = bytes.readUInt32LE(at.bytesInUse);
	if (bytes.readUInt32LE(at.bytesAllocated) !== bytes.length || bytesInUse > bytes.length || bytesInUse < headerBytes)
		throw damaged(`record ${number} has ${bytesInUse} bytes in use`);
	const isInUse = (bytes.readUInt16LE(at.flags) & 1) !== 0;
	if (!isInUse) return undefined;
	// mkntfs does not number the records that it only reserves.
	const says = bytes.readUInt32LE(at.number);
	if (says !== number && !(says === 0 && number < firstUserRecord))
		throw damaged(`record ${number} says to be ${says}`);
	if (bytes.readBigUInt64LE(at.base) !== 0n) throw damaged(`record ${number} goes on from another one`);
	return { number, bytes, bytesInUse };
}

/** The record as it is written, under the next update sequence number. */
export function encodeRecord({ number, bytes }: MftRecord): Buffer {
	const onDisk = Buffer.from(bytes);
	const array = arrayAt(onDisk);
	// Neither 0 nor 0xffff (libntfs-3g/mst.c, ntfs_mst_pre_write_fixup).
	const sequence = (onDisk.readUInt16LE(array) % 0xfffe) + 1;
	onDisk.writeUInt16LE(sequence, array);
	for (const { end, saved } of sectorEnds(onDisk, number)) {
		onDisk.writeUInt16LE(onDisk.readUInt16LE(end), saved);
		onDisk.writeUInt16LE(sequence, end);
	}
	return onDisk;
}

function arrayAt(bytes: Buffer): number {
	return bytes.readUInt16LE(at.arrayOffset);
}

/** The last two bytes of each sector, and their place in the array. */
function sectorEnds(bytes: Buffer, number: number): { end: number; saved: number }[] {
	const array = arrayAt(bytes);
	const count = bytes.readUInt16LE(at.arrayCount);
	const sectors = bytes.length / sectorBytes;
	if (count !== sectors + 1 || array % 2 !== 0 || array < 42 || array + count * 2 > sectorBytes - 2)
		throw damaged(`record ${number} has ${count} update sequence words at ${array}`);
	return Array.from({ length: sectors }, (_, sector) => ({
		end: (sector + 1) * sectorBytes - 2,
		saved: array + 2 + sector * 2,
	}));
}
