/**
 * The block before each member of an archive: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
 */
import { refused, shown } from './refused.ts';

export const blockBytes = 512;

export interface TarHeader {
	block: Buffer;
	/** Where it begins in the archive. */
	atBytes: number;
	name: string;
	/** One character. */
	type: string;
	/** `gnu`: the fields behind the names are GNU's. */
	dialect: 'posix' | 'gnu' | 'old';
}

/** The bytes up to the next block. */
export function paddingOf(lengthBytes: number): number {
	return (blockBytes - (lengthBytes % blockBytes)) % blockBytes;
}

/** Undefined for a block of zeros, which ends an archive. */
export function parseHeader(block: Buffer, atBytes: number): TarHeader | undefined {
	if (block.every(byte => byte === 0)) return undefined;
	checkSum(block, atBytes);
	const dialect = dialectOf(block, atBytes);
	const prefix = dialect === 'posix' ? textOf(block.subarray(345, 500)) : '';
	const name = textOf(block.subarray(0, 100));
	const type = block.toString('latin1', 156, 157);
	return { block, atBytes, dialect, type, name: prefix === '' ? name : `${prefix}/${name}` };
}

/** Six digits, a zero byte and a blank, or the other way round; or seven digits. Old programs filled it up with blanks. */
const sumForm = /^(?:[0-7]{6}(?:\0 | \0)|[0-7]{7}[\0 ])$/;
const oldSumForm = /^(?=.{8}$) *[0-7]+[\0 ]{1,2}$/s;

function checkSum(block: Buffer, atBytes: number): void {
	const text = block.toString('latin1', 148, 156);
	if (!(isOld(block) ? oldSumForm : sumForm).test(text))
		throw refused(
			`at ${atBytes} of the archive there is no header: where its checksum belongs there is ${shown(text)}`,
		);
	const said = Number.parseInt(text, 8);
	const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
	if (said === sum) return;
	throw refused(
		`the header at ${atBytes} of the archive is damaged: its checksum is ${said}, and its bytes have ${sum}`,
	);
}

const isOld = (block: Buffer) => block.subarray(257, 265).every(byte => byte === 0);

function dialectOf(block: Buffer, atBytes: number): TarHeader['dialect'] {
	const magic = block.toString('latin1', 257, 265);
	if (magic === 'ustar\x0000') return 'posix';
	if (magic === 'ustar  \0') return 'gnu';
	if (isOld(block)) return 'old';
	throw refused(`the header at ${atBytes} of the archive is of a kind that is not known: ${shown(magic)}`);
}

/** Up to the first zero byte. */
export function textOf(field: Buffer): string {
	const end = field.indexOf(0);
	return field.toString('utf8', 0, end < 0 ? field.length : end);
}
