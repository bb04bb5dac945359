/**
 * One header of a tar archive: POSIX.1-2017, pax, "ustar Interchange Format"; for old archives, and numbers in base 256, the
 * manual of GNU tar, "Basic Tar Format". Bytes in, facts out: where they come from is the caller's.
 */
import { RouseError } from '../../model/errors.ts';

/** Of headers; what belongs to a member is filled up to a multiple of it. */
export const tarBlockBytes = 512;

export interface TarHeader {
	name: string;
	/** Of what follows, without what fills its last block. */
	sizeBytes: number;
	/** "typeflag": '0' a file, '5' a directory, 'x' and 'g' records of pax, 'L' and 'K' long names of GNU, 'S' a sparse file of GNU. */
	type: string;
}

const magicAt = 257;
const checksumAt = 148;
const checksumBytes = 8;
/** Links, devices, directories, pipes: their size is that of nothing. */
const withoutData = ['1', '2', '3', '4', '5', '6'];

/** Undefined for a block of zeros, with which an archive ends. Throws `source_invalid`: "it" is the archive. */
export function parseTarHeader(block: Buffer): TarHeader | undefined {
	if (block.length !== tarBlockBytes) throw new Error(`a header has ${tarBlockBytes} bytes, and not ${block.length}`);
	if (block.every(byte => byte === 0)) return undefined;
	if (!hasChecksum(block)) throw invalid('one of its headers has a wrong checksum');
	const type = textAt(block, 156, 1) || '0';
	// GNU has times and a map at the place of the prefix, and another magic: "ustar  \0".
	const isPosix = block.toString('latin1', magicAt, magicAt + 6) === 'ustar\0';
	const prefix = isPosix ? textAt(block, 345, 155) : '';
	const name = textAt(block, 0, 100);
	return {
		name: prefix === '' ? name : `${prefix}/${name}`,
		sizeBytes: withoutData.includes(type) ? 0 : tarNumber(block.subarray(124, 136)),
		type,
	};
}

/** Bytes of a member with what fills its last block. */
export function paddedBytes(sizeBytes: number): number {
	return Math.ceil(sizeBytes / tarBlockBytes) * tarBlockBytes;
}

/** A field with a number: octal digits, or in base 256 when its first bit is set. Throws `source_invalid`. */
export function tarNumber(field: Buffer): number {
	const first = field[0] ?? 0;
	if ((first & 0x80) === 0) {
		const digits = /^ *([0-7]*)[ \0]*$/.exec(field.toString('latin1'))?.[1];
		if (digits === undefined)
			throw invalid(`a number in a header is none: ${JSON.stringify(field.toString('latin1'))}`);
		return digits === '' ? 0 : Number.parseInt(digits, 8);
	}
	// 0xff begins a negative one.
	if (first !== 0x80) throw invalid('a number in a header is negative, or too large');
	const value = field.subarray(1).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
	if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw invalid(`a number in a header is too large: ${value}`);
	return Number(value);
}

/** The sum of all bytes, its own field taken for spaces; some old programs took bytes for signed. */
function hasChecksum(block: Buffer): boolean {
	const digits = /^ *([0-7]{1,7})[ \0]/.exec(block.toString('latin1', checksumAt, checksumAt + checksumBytes))?.[1];
	if (digits === undefined) return false;
	let [unsigned, signed] = [0x20 * checksumBytes, 0x20 * checksumBytes];
	for (const [at, byte] of block.entries()) {
		if (at >= checksumAt && at < checksumAt + checksumBytes) continue;
		unsigned += byte;
		signed += byte < 0x80 ? byte : byte - 0x100;
	}
	return [unsigned, signed].includes(Number.parseInt(digits, 8));
}

function textAt(block: Buffer, at: number, lengthBytes: number): string {
	const field = block.subarray(at, at + lengthBytes);
	const end = field.indexOf(0);
	return (end === -1 ? field : field.subarray(0, end)).toString('utf8');
}

function invalid(what: string): RouseError {
	return new RouseError('source_invalid', what, { hint: 'copy the archive again' });
}
