/**
 * GUIDs as text and as the 16 bytes of Microsoft's formats and of partition tables, where the first three fields lie in
 * little-endian order (RFC 9562, section 4; [MS-DTYP] 2.3.4.2). Text is in lower case: libvhdi 20210425 takes no other in a
 * VHDX's parent locator.
 */
const fields = [
	[3, 2, 1, 0],
	[5, 4],
	[7, 6],
	[8, 9],
	[10, 11, 12, 13, 14, 15],
] as const;

/** The GUID that these 16 bytes are, or begin with. */
export function guidText(bytes: Uint8Array): string {
	return fields.map(order => order.map(index => hex(bytes[index])).join('')).join('-');
}

/** The 16 bytes of a GUID in lower or upper case, without braces. Throws a RangeError for what is none. */
export function guidBytes(text: string): Uint8Array {
	if (!isGuid(text)) throw new RangeError(`${JSON.stringify(text)} is no GUID`);
	const digits = text.replaceAll('-', '');
	const bytes = new Uint8Array(16);
	for (const [at, index] of fields.flat().entries())
		bytes[index] = Number.parseInt(digits.slice(at * 2, at * 2 + 2), 16);
	return bytes;
}

export function isGuid(text: string): boolean {
	return /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text);
}

function hex(byte: number | undefined): string {
	if (byte === undefined) throw new RangeError('a GUID has 16 bytes');
	return byte.toString(16).padStart(2, '0');
}
