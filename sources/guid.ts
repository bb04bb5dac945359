/** The GUID that these 16 bytes begin with, in upper case. Its first three fields lie in little-endian order (RFC 9562, section 4). */
export function guidText(bytes: Buffer): string {
	const text = (end: number, ...order: number[]) =>
		order.map(index => bytes.toString('hex', index, index + end)).join('');
	return [text(1, 3, 2, 1, 0), text(1, 5, 4), text(1, 7, 6), text(2, 8), text(6, 10)].join('-').toUpperCase();
}
