import { refused, shown } from './refused.ts';

/**
 * A number in a field of a header: octal digits, with blanks before and blanks or zero bytes behind, or, as GNU tar and others
 * write what does not fit, big-endian behind a first bit of one (GNU tar manual, "Basic Tar Format").
 */
export function tarNumber(field: Buffer, what: string): number {
	const first = field[0] ?? 0;
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
