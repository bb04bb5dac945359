import { maxChunkBytes, minFrameBytes } from '../../model/chunk-bounds.ts';
import { digestBytes, digestOf } from './digest.ts';
import { magic, magicBytes } from './magic.ts';

/** What a stored chunk is: its digest says which (docs/format.md, "Digests"). */
export type ChunkKind = 'chunk' | 'page';

/** Smallest and largest frame, as binary logarithms. */
const frameLog2 = { min: 14, max: 24 } as const;

/** A page is one frame of this size, whatever the repository's is. */
export const pageFrameBytes = 64 * 1024;

/** The only codec: each frame raw or one zstd frame. */
const zstdCodec = 1;
const tableHeadBytes = 4;
const tableEntryBytes = 4 + digestBytes;
const rawFlag = 0x8000_0000;
/** The smallest frames of the longest chunk. */
const maxFrames = maxChunkBytes / minFrameBytes;

export function frameCount(rawBytes: number, frameBytes: number): number {
	return Math.ceil(rawBytes / frameBytes);
}

/** Bytes of a stored chunk's table. */
export function tableBytes(frames: number): number {
	return tableHeadBytes + frames * tableEntryBytes;
}

/** The longest that a chunk of so many bytes can be as it is stored: all of it raw, in the smallest frames. */
export function mostStoredBytes(rawBytes: number): number {
	return tableBytes(frameCount(rawBytes, minFrameBytes)) + rawBytes;
}

/** The beginning of a stored chunk's table, at `at`. */
export function writeTableHead(into: Buffer, at: number, frameBytes: number, frames: number): void {
	into.writeUInt8(zstdCodec, at);
	into.writeUInt8(Math.log2(frameBytes), at + 1);
	into.writeUInt16LE(frames, at + 2);
}

/** What a table, which begins at `at`, says of a frame. */
export function writeTableEntry(
	into: Buffer,
	at: number,
	number: number,
	{ storedBytes, raw, digest }: Omit<Frame, 'offsetBytes'>,
): void {
	const entry = at + tableBytes(number);
	into.writeUInt32LE(storedBytes + (raw ? rawFlag : 0), entry);
	digest.copy(into, entry + 4);
}

/** Digest of a chunk or page of `rawBytes` bytes whose frames have these digests, 32 bytes each. */
export function chunkDigest(kind: ChunkKind, rawBytes: number, frameDigests: Buffer): Buffer {
	const whole = Buffer.allocUnsafe(magicBytes + 8 + frameDigests.length);
	magic[kind].bytes.copy(whole);
	whole.writeBigUInt64LE(BigInt(rawBytes), magicBytes);
	frameDigests.copy(whole, magicBytes + 8);
	return digestOf(whole);
}

/** A frame of a stored chunk: where it lies, and what it should be. */
export interface Frame {
	offsetBytes: number;
	storedBytes: number;
	raw: boolean;
	digest: Buffer;
}

export interface FrameTable {
	frameBytes: number;
	frames: Frame[];
}

/**
 * The table of a stored chunk, or what is wrong with it: nothing about the chunk's length is known yet but that its frames
 * fill the stored chunk exactly.
 */
export function decodeFrameTable(stored: Buffer): FrameTable | string {
	if (stored.length < tableHeadBytes) return `${stored.length} bytes are stored`;
	const codec = stored.readUInt8(0);
	if (codec !== zstdCodec) return `unknown codec ${codec}`;
	const log2 = stored.readUInt8(1);
	if (log2 < frameLog2.min || log2 > frameLog2.max) return `frames of 2^${log2} bytes`;
	const count = stored.readUInt16LE(2);
	if (count < 1 || count > maxFrames || tableBytes(count) > stored.length)
		return `${count} frames in ${stored.length} bytes`;
	const frames: Frame[] = [];
	const frameBytes = 2 ** log2;
	let offsetBytes = tableBytes(count);
	for (let number = 0; number < count; number++) {
		const at = tableBytes(number);
		const length = stored.readUInt32LE(at);
		const storedBytes = length % rawFlag;
		if (storedBytes < 1 || storedBytes > frameBytes) return `a frame of ${storedBytes} bytes, at most ${frameBytes}`;
		const digest = stored.subarray(at + 4, at + tableEntryBytes);
		frames.push({ offsetBytes, storedBytes, raw: length >= rawFlag, digest });
		offsetBytes += storedBytes;
	}
	if (offsetBytes !== stored.length) return `its frames end at ${offsetBytes} of ${stored.length} bytes`;
	return { frameBytes, frames };
}

/** The digests of a table's frames behind each other. */
export function frameDigestsOf({ frames }: FrameTable): Buffer {
	return Buffer.concat(frames.map(({ digest }) => digest));
}
