/**
 * Bytes that a zstd frame unpacks to, by its header (RFC 8878, section 3.1.1), or undefined for what docs/format.md, "Chunk"
 * does not allow: of several segments, without its content size, with a dictionary, with anything behind it, or none at all. A
 * decoder of such a frame needs no window beside its output, so its memory is known before it begins.
 */
export function zstdContentBytes(frame: Buffer): number | undefined {
	if (frame.length < headBytes + 1 || frame.readUInt32LE(0) !== zstdMagic) return undefined;
	const descriptor = frame.readUInt8(4);
	if ((descriptor & singleSegment) === 0 || (descriptor & (reserved | dictionary)) !== 0) return undefined;
	const sizeBytes = [1, 2, 4, 8][descriptor >> 6] ?? 8;
	if (frame.length < headBytes + sizeBytes) return undefined;
	const end = endOfBlocks(frame, headBytes + sizeBytes);
	if (end === undefined || end + ((descriptor & checksum) === 0 ? 0 : 4) !== frame.length) return undefined;
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

/** Where the last block ends (section 3.1.1.2): Node's decoder passes over what stands behind a frame. */
function endOfBlocks(frame: Buffer, first: number): number | undefined {
	for (let at = first; at + 3 <= frame.length; ) {
		const head = frame.readUIntLE(at, 3);
		const type = (head >> 1) & 3;
		if (type === reservedBlock) return undefined;
		at += 3 + (type === repeatedByte ? 1 : head >> 3);
		if ((head & 1) === 1) return at;
	}
	return undefined;
}

const zstdMagic = 0xfd2fb528;
/** Magic and descriptor; a single segment has no window descriptor behind it. */
const headBytes = 5;
const singleSegment = 0x20;
const reserved = 0x08;
const checksum = 0x04;
const dictionary = 0x03;
const repeatedByte = 1;
const reservedBlock = 3;
