/** CRC-32C (Castagnoli; RFC 3720, appendix B.4), which [MS-VHDX] 2.2 asks for, and Cloud Storage has; `zlib.crc32` is of another polynomial. */
const reversedPolynomial = 0x82f63b78;

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
	let remainder = byte;
	for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? reversedPolynomial : 0);
	return remainder;
});

/** `before`: of what comes before these bytes. */
export function crc32c(bytes: Uint8Array, before = 0): number {
	let remainder = before ^ 0xffff_ffff;
	// By index: an iterator over the 64 KiB of a region table takes many times as long.
	for (let index = 0; index < bytes.length; index++)
		remainder = (remainder >>> 8) ^ (table[(remainder ^ (bytes[index] ?? 0)) & 0xff] ?? 0);
	return (remainder ^ 0xffff_ffff) >>> 0;
}
