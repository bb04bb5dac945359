/**
 * The block before each member of an archive: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 * Bytes in, facts out: where they come from is the caller's.
 */
import { refused, shown } from './refused.ts';

export const blockBytes = 512;

export interface TarHeader {
	block: Buffer;
	/** Where it begins in the archive. */
	atBytes: number;
	name: string;
	/**
	 * One character: '0' a file, '5' a directory, 'x' and 'g' records of pax, 'L' and 'K' long names of GNU, 'S' a sparse file of GNU.
	 */
	type: string;
	/** `gnu`: the fields behind the names are GNU's. */
	dialect: 'posix' | 'gnu' | 'old';
}

/** The bytes up to the next block. */
export function paddingOf(lengthBytes: number): number {
	return (blockBytes - (lengthBytes % blockBytes)) % blockBytes;
}

/** Undefined for a block of zeros, which ends an archive. Throws `source_invalid`: "it" is the archive. */
export function parseTarHeader(block: Buffer, atBytes: number): TarHeader | undefined {
	if (block.every(byte => byte === 0)) return undefined;
	checkSum(block, atBytes);
	const dialect = dialectOf(block, atBytes);
	// GNU has times and a map at the place of the prefix.
	const prefix = dialect === 'posix' ? textOf(block.subarray(345, 500)) : '';
	const name = textOf(block.subarray(0, 100));
	const type = block.readUInt8(156) === 0 ? '0' : block.toString('latin1', 156, 157);
	return { block, atBytes, dialect, type, name: prefix === '' ? name : `${prefix}/${name}` };
}

/** Links, devices, directories, pipes: nothing follows them, whatever their size says, which some programs take from the disk. */
const withoutData: readonly string[] = ['1', '2', '3', '4', '5', '6'];

export const hasData = ({ type }: TarHeader) => !withoutData.includes(type);

/** Of what follows, without what fills its last block. */
export function sizeOf({ block, name }: TarHeader): number {
	return tarNumber(block.subarray(124, 136), `the size of ${shown(name)}`);
}

/**
 * A number in a field of a header: octal digits, with blanks before and blanks or zero bytes behind, or, as GNU tar and others
 * write what does not fit, big-endian behind a first bit of one (GNU tar manual, "Basic Tar Format").
 */
export function tarNumber(field: Buffer, what: string): number {
	const first = field.readUInt8(0);
	if (first >= 0x80) return binaryNumber(field, what);
	const text = field.toString('latin1');
	if (!/^ *[0-7]+[ \0]*$/.test(text)) throw refused(`${what} is ${shown(text)}, which is no octal number`);
	return Number.parseInt(text, 8); // twelve digits at most
}

function binaryNumber(field: Buffer, what: string): number {
	const first = field.readUInt8(0);
	// The second bit is the sign.
	if (first >= 0xc0) throw refused(`${what} is negative`);
	const rest = field.subarray(1).toString('hex');
	const value = BigInt(`0x${(first & 0x3f).toString(16)}${rest}`);
	if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw refused(`${what} is ${value}, which is larger than any disk`);
	return Number(value);
}

const sumAt = 148;
const sumEnd = 156;
/** Six digits, a zero byte and a blank; others fill it up with blanks before (Perl's Archive::Tar), or not at all (VirtualBox). */
const sumForm = /^ *[0-7]+[\0 ]+$/;

function checkSum(block: Buffer, atBytes: number): void {
	const { text, said, sums } = checksumOf(block);
	if (said === undefined)
		throw refused(
			`at ${atBytes} of the archive there is no header: where its checksum belongs there is ${shown(text)}`,
		);
	if (sums.includes(said)) return;
	throw refused(
		`the header at ${atBytes} of the archive is damaged: its checksum is ${said}, and its bytes have ${sums[0]}`,
	);
}

/** By its checksum, which headers of all times have. */
export function isTarHeader(block: Buffer): boolean {
	const { said, sums } = checksumOf(block);
	return said !== undefined && sums.includes(said);
}

/** The sum of all bytes, its own field taken for blanks; some old programs took bytes for signed. */
function checksumOf(block: Buffer): { text: string; said: number | undefined; sums: number[] } {
	const text = block.toString('latin1', sumAt, sumEnd);
	let [unsigned, signed] = [0, 0];
	for (const [at, found] of block.entries()) {
		const byte = at >= sumAt && at < sumEnd ? 0x20 : found;
		unsigned += byte;
		signed += byte < 0x80 ? byte : byte - 0x100;
	}
	return { text, said: sumForm.test(text) ? Number.parseInt(text, 8) : undefined, sums: [unsigned, signed] };
}

function dialectOf(block: Buffer, atBytes: number): TarHeader['dialect'] {
	const magic = block.toString('latin1', 257, 265);
	if (magic.startsWith('ustar\0')) return 'posix';
	if (magic.startsWith('ustar ')) return 'gnu'; // its end differs: VirtualBox has written a third blank
	if (block.subarray(257, 265).every(byte => byte === 0)) return 'old';
	throw refused(`the header at ${atBytes} of the archive is of a kind that is not known: ${shown(magic)}`);
}

/** Up to the first zero byte. */
export function textOf(field: Buffer): string {
	const end = field.indexOf(0);
	return field.toString('utf8', 0, end < 0 ? field.length : end);
}
