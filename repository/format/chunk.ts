import type { ChunkRef } from '../../model/chunk.ts';
import { maxChunkBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { digestBytes, digestOf } from './digest.ts';
import {
	type ChunkKind,
	chunkDigest,
	decodeFrameTable,
	type Frame,
	frameCount,
	frameDigestsOf,
	tableBytes,
	writeTableEntry,
	writeTableHead,
} from './frame-table.ts';
import { compressFrame, decompressFrame } from './zstd.ts';
import { zstdContentBytes } from './zstd-frame.ts';

/** A compressed frame that saves less than this is stored raw: reading it back would cost more than it saves. */
const worthCompressing = 0.95;

/** A chunk with its digest, and what its stored form takes beside its bytes. */
export interface DigestedChunk {
	raw: Buffer;
	frameBytes: number;
	/** 32 bytes each. */
	frameDigests: Buffer;
	digest: Buffer;
}

/** `raw` is not copied, and must not change as long as the result is used. */
export function digestChunk(raw: Buffer, frameBytes: number, kind: ChunkKind = 'chunk'): DigestedChunk {
	const frames = frameCount(raw.length, frameBytes);
	const frameDigests = Buffer.allocUnsafe(frames * digestBytes);
	for (let number = 0; number < frames; number++)
		digestOf(raw.subarray(number * frameBytes, (number + 1) * frameBytes)).copy(frameDigests, number * digestBytes);
	return { raw, frameBytes, frameDigests, digest: chunkDigest(kind, raw.length, frameDigests) };
}

/** The most that {@link encodeChunkInto} needs. */
export function encodedRoomBytes(rawBytes: number, frameBytes: number): number {
	return tableBytes(frameCount(rawBytes, frameBytes)) + rawBytes;
}

/**
 * Puts table and frames, as they will lie in a pack (docs/format.md, "Chunk"), into `into` from `at` on and returns their
 * length. There MUST be {@link encodedRoomBytes}. For worker threads: compressing takes as long as all else of an import.
 */
export function encodeChunkInto({ raw, frameBytes, frameDigests }: DigestedChunk, into: Buffer, at: number): number {
	const frames = frameCount(raw.length, frameBytes);
	writeTableHead(into, at, frameBytes, frames);
	let end = at + tableBytes(frames);
	for (let number = 0; number < frames; number++) {
		const frame = raw.subarray(number * frameBytes, (number + 1) * frameBytes);
		const compressed = compressFrame(frame, into, end, Math.ceil(frame.length * worthCompressing));
		const storedBytes = compressed ?? frame.copy(into, end);
		const digest = frameDigests.subarray(number * digestBytes, (number + 1) * digestBytes);
		writeTableEntry(into, at, number, { storedBytes, raw: compressed === undefined, digest });
		end += storedBytes;
	}
	return end - at;
}

/** As {@link encodeChunkInto}, in a buffer of its own. */
export function encodeChunk(digested: DigestedChunk): Buffer {
	const into = Buffer.allocUnsafe(encodedRoomBytes(digested.raw.length, digested.frameBytes));
	return Buffer.from(into.subarray(0, encodeChunkInto(digested, into, 0)));
}

/** A stored chunk whose frames are what its digest stands for, if each of them has the digest that the table says. */
export interface OpenedChunk {
	ref: ChunkRef;
	stored: Buffer;
	rawBytes: number;
	frameBytes: number;
	frames: readonly Frame[];
}

/** Looks at a stored chunk's table, and decodes nothing: `chunk_bad` when that is not of the chunk. `stored` is kept. */
export function openChunk(ref: ChunkRef, stored: Uint8Array, rawBytes: number, kind: ChunkKind = 'chunk'): OpenedChunk {
	const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
	const table = decodeFrameTable(bytes);
	if (typeof table === 'string') throw badChunk(ref, table);
	const { frameBytes, frames } = table;
	const expected = frameCount(rawBytes, frameBytes);
	if (frames.length !== expected)
		throw badChunk(ref, `${frames.length} frames of ${frameBytes} bytes for ${rawBytes} bytes, expected ${expected}`);
	const digest = chunkDigest(kind, rawBytes, frameDigestsOf(table)).toString('hex');
	if (digest !== ref.digest) throw badChunk(ref, `its frames have the digest ${digest}`);
	return { ref, stored: bytes, rawBytes, frameBytes, frames };
}

/**
 * The bytes of a chunk, exactly `rawBytes` of them and checked against the digest, or `chunk_bad`. Synchronous, for hot
 * paths and worker threads. The result is a buffer of its own: `stored` may be used again.
 */
export function decodeChunk(
	ref: ChunkRef,
	stored: Uint8Array,
	rawBytes: number,
	kind: ChunkKind = 'chunk',
): Buffer<ArrayBuffer> {
	const opened = openChunk(ref, stored, rawBytes, kind);
	const raw = Buffer.allocUnsafeSlow(rawBytes);
	decodeOpened(opened, raw);
	return raw;
}

/**
 * As {@link decodeChunk}, into `into`, which is as long as the chunk. What is there after `chunk_bad` is nothing. Allocates no
 * more than a few objects, whatever `stored` claims.
 */
export function decodeChunkInto(ref: ChunkRef, stored: Uint8Array, into: Buffer, kind: ChunkKind = 'chunk'): void {
	decodeOpened(openChunk(ref, stored, into.length, kind), into);
}

function decodeOpened(opened: OpenedChunk, into: Buffer): void {
	const { frameBytes, frames } = opened;
	for (let number = 0; number < frames.length; number++)
		decodeFrameInto(opened, number, into.subarray(number * frameBytes, (number + 1) * frameBytes));
}

/** Fills `into`, which is as long as that frame must be, or throws `chunk_bad`; then what is there is nothing. */
export function decodeFrameInto({ ref, stored, frames }: OpenedChunk, number: number, into: Buffer): void {
	const frame = frames[number];
	if (frame === undefined) throw new RouseError('internal', `frame ${number} of ${frames.length}`);
	const body = stored.subarray(frame.offsetBytes, frame.offsetBytes + frame.storedBytes);
	const says = frame.raw ? body.length : zstdContentBytes(body);
	if (!frame.raw && body.length >= into.length)
		throw badChunk(ref, `${body.length} bytes are stored for ${into.length}`);
	if (says !== into.length)
		throw badChunk(
			ref,
			`a frame ${says === undefined ? 'without a size' : `of ${says} bytes`}, expected ${into.length}`,
		);
	const filled = frame.raw ? body.copy(into) : unpack(ref, body, into);
	if (filled !== into.length) throw badChunk(ref, `a frame of ${filled} bytes, expected ${into.length}`);
	if (!digestOf(into).equals(frame.digest)) throw badChunk(ref, 'a frame has another digest than its table says');
}

function unpack(ref: ChunkRef, body: Buffer, into: Buffer): number {
	try {
		return decompressFrame(body, into);
	} catch (cause) {
		throw badChunk(ref, cause instanceof Error ? cause.message : String(cause), cause);
	}
}

/** What a stored chunk unpacks to, by its own account, for those who have no position for it; undefined when that cannot be. */
export function rawBytesOf(stored: Buffer): number | undefined {
	const table = decodeFrameTable(stored);
	if (typeof table === 'string') return undefined;
	const { frameBytes, frames } = table;
	const last = frames.at(-1);
	if (last === undefined) return undefined;
	const lastBytes = last.raw ? last.storedBytes : zstdContentBytes(stored.subarray(last.offsetBytes));
	if (lastBytes === undefined || lastBytes < 1 || lastBytes > frameBytes) return undefined;
	const rawBytes = (frames.length - 1) * frameBytes + lastBytes;
	return rawBytes <= maxChunkBytes ? rawBytes : undefined;
}

/** `chunk_bad` for what lies in this place. */
export function badChunk(ref: ChunkRef, why: string, cause?: unknown): RouseError {
	const { digest, packId, offsetBytes, storedBytes } = ref;
	return new RouseError(
		'chunk_bad',
		`chunk ${digest} in pack ${packId} at offset ${offsetBytes} (${storedBytes} bytes): ${why}`,
		{
			cause,
			hint: 'run `rouse backup verify` to see what else is damaged; import the machine again, or put the pack back from a copy of the repository',
			details: { digest, packId, offsetBytes, storedBytes },
		},
	);
}
