import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import { type ChunkRef, maxChunkBytes } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { digestBytes, digestOf } from './digest.ts';
import {
	assembleStored,
	type ChunkKind,
	chunkDigest,
	decodeFrameTable,
	type Frame,
	frameCount,
	frameDigestsOf,
	type StoredFrame,
} from './frame-table.ts';
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

/** Table and frames, as they will lie in a pack (docs/format.md, "Chunk"). Compresses in libuv's pool. */
export async function encodeChunk({ raw, frameBytes, frameDigests }: DigestedChunk): Promise<Buffer> {
	const frames: Promise<StoredFrame>[] = [];
	for (let at = 0; at < raw.length; at += frameBytes) frames.push(encodeFrame(raw.subarray(at, at + frameBytes)));
	return assembleStored(frameBytes, frameDigests, await Promise.all(frames));
}

function encodeFrame(raw: Buffer): Promise<StoredFrame> {
	return new Promise((resolve, reject) => {
		// A window as large as the frame makes it a single segment; at level 3 it would have 2 MiB.
		const windowLog = Math.max(21, Math.ceil(Math.log2(raw.length)));
		const params = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_windowLog]: windowLog };
		// One output buffer that surely fits: with the default of 16 KiB the parts are collected and copied once more.
		// The size said beforehand is told in its header: readers ask for it.
		const sizes = { chunkSize: raw.length + 1024, pledgedSrcSize: raw.length };
		zstdCompress(raw, { params, ...sizes }, (error, bytes) => {
			if (error) reject(error);
			else if (bytes.length < raw.length * worthCompressing) resolve({ bytes, raw: false });
			else resolve({ bytes: raw, raw: true });
		});
	});
}

/**
 * The bytes of a chunk, exactly `rawBytes` of them and checked against the digest, or `chunk_bad`. Never allocates more
 * than twice `rawBytes`, whatever `stored` claims. Synchronous, for hot paths and worker threads. The result is a
 * buffer of its own: `stored` may be used again.
 */
export function decodeChunk(
	ref: ChunkRef,
	stored: Uint8Array,
	rawBytes: number,
	kind: ChunkKind = 'chunk',
): Buffer<ArrayBuffer> {
	const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
	const table = decodeFrameTable(bytes);
	if (typeof table === 'string') throw badChunk(ref, table);
	const { frameBytes, frames } = table;
	const expected = frameCount(rawBytes, frameBytes);
	if (frames.length !== expected)
		throw badChunk(ref, `${frames.length} frames of ${frameBytes} bytes for ${rawBytes} bytes, expected ${expected}`);
	const digest = chunkDigest(kind, rawBytes, frameDigestsOf(table)).toString('hex');
	if (digest !== ref.digest) throw badChunk(ref, `its frames have the digest ${digest}`);
	const raw = Buffer.allocUnsafeSlow(rawBytes);
	for (const [number, frame] of frames.entries())
		decodeFrame(ref, bytes, frame, raw.subarray(number * frameBytes, (number + 1) * frameBytes));
	return raw;
}

/** Fills `into`, which is as long as the frame must be. */
function decodeFrame(ref: ChunkRef, stored: Buffer, frame: Frame, into: Buffer): void {
	const body = stored.subarray(frame.offsetBytes, frame.offsetBytes + frame.storedBytes);
	const says = frame.raw ? body.length : zstdContentBytes(body);
	if (!frame.raw && body.length >= into.length)
		throw badChunk(ref, `${body.length} bytes are stored for ${into.length}`);
	if (says !== into.length)
		throw badChunk(
			ref,
			`a frame ${says === undefined ? 'without a size' : `of ${says} bytes`}, expected ${into.length}`,
		);
	const raw = frame.raw ? body : unpack(ref, body, into.length);
	if (raw.length !== into.length) throw badChunk(ref, `a frame of ${raw.length} bytes, expected ${into.length}`);
	if (!digestOf(raw).equals(frame.digest)) throw badChunk(ref, 'a frame has another digest than its table says');
	raw.copy(into);
}

function unpack(ref: ChunkRef, body: Buffer, rawBytes: number): Buffer {
	try {
		return zstdDecompressSync(body, { maxOutputLength: rawBytes, chunkSize: rawBytes + 1024 });
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
