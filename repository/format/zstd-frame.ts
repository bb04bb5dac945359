/**
 * Bytes that a zstd frame unpacks to, by its header (RFC 8878, section 3.1.1.1), or undefined for one that docs/format.md,
 * "Chunk" does not allow: of several segments, without its content size, with a dictionary, or none at all. A decoder
 * of such a frame needs no window beside its output, so its memory is known before it begins.
 */
export function zstdContentBytes(frame: Buffer): number | undefined {
	if (frame.length < headBytes + 1 || frame.readUInt32LE(0) !== zstdMagic) return undefined;
	const descriptor = frame.readUInt8(4);
	if ((descriptor & singleSegment) === 0 || (descriptor & (reserved | dictionary)) !== 0) return undefined;
	const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 8;
	if (frame.length < headBytes + sizeBytes) return undefined;
	switch (sizeBytes) {
		case 1:
			return frame.readUInt8(headBytes);
		case 2:
			return frame.readUInt16LE(headBytes) + 256;
		case 4:
			return frame.readUInt32LE(headBytes);
		default:
			return Number(frame.readBigUInt64LE(headBytes));
	}
}

const zstdMagic = 0xfd2fb528;
/** Magic and descriptor; a single segment has no window descriptor behind it. */
const headBytes = 5;
const singleSegment = 0x20;
const reserved = 0x08;
const dictionary = 0x03;
