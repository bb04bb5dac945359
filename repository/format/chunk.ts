import { hash } from 'node:crypto';
import { constants, zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';

/** First byte of a stored chunk (docs/format.md, "Chunk"). */
export const chunkCodec = { raw: 0, zstd: 1 } as const;

/** A compressed chunk that saves less than this is stored raw: reading it back would cost more than it saves. */
const worthCompressing = 0.95;

/**
 * Chunks end at 16 MiB, so no honest frame needs a larger window; a frame that claims one (zstd allows 2 GiB and its
 * decoder would allocate it) is refused. RFC 8878, section 3.1.1.1.2.
 */
const windowLogMax = 24;

export function digestOf(bytes: Uint8Array): string {
	return hash('sha256', bytes, 'hex');
}

/** Codec byte and body, as it will lie in a pack. Compresses in libuv's pool; `raw` must not change meanwhile. */
export function encodeChunk(raw: Uint8Array): Promise<Buffer> {
	return new Promise((resolve, reject) => {
		const params = { [constants.ZSTD_c_compressionLevel]: 3 };
		// One output buffer that surely fits: with the default of 16 KiB the parts are collected and copied once more.
		// The size said beforehand goes into the frame: without it every reader sets aside a window of 2 MiB.
		const sizes = { chunkSize: raw.length + 1024, pledgedSrcSize: raw.length };
		zstdCompress(raw, { params, ...sizes }, (error, body) => {
			if (error) reject(error);
			else if (body.length < raw.length * worthCompressing) resolve(frame(chunkCodec.zstd, body));
			else resolve(frame(chunkCodec.raw, raw));
		});
	});
}

function frame(codec: number, body: Uint8Array): Buffer {
	const stored = Buffer.allocUnsafe(1 + body.length);
	stored[0] = codec;
	stored.set(body, 1);
	return stored;
}

/**
 * The bytes of a chunk, exactly `rawBytes` of them and checked against the digest, or `chunk_bad`. Never allocates more
 * than `rawBytes` for them, whatever `stored` claims. Synchronous, for hot paths and worker threads. The result is a
 * buffer of its own: `stored` may be used again.
 */
export function decodeChunk(ref: ChunkRef, stored: Uint8Array, rawBytes: number): Buffer {
	const raw = unframe(ref, stored, rawBytes);
	if (raw.length !== rawBytes) throw badChunk(ref, `${raw.length} bytes instead of ${rawBytes}`);
	const digest = digestOf(raw);
	if (digest !== ref.digest) throw badChunk(ref, `its bytes have the digest ${digest}`);
	return raw;
}

function unframe(ref: ChunkRef, stored: Uint8Array, rawBytes: number): Buffer {
	const body = stored.subarray(1);
	switch (stored[0]) {
		case chunkCodec.raw:
			return Buffer.from(body);
		case chunkCodec.zstd:
			try {
				return zstdDecompressSync(body, {
					maxOutputLength: rawBytes,
					chunkSize: rawBytes + 1024,
					params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
				});
			} catch (cause) {
				throw badChunk(ref, cause instanceof Error ? cause.message : String(cause), cause);
			}
		case undefined:
			throw badChunk(ref, 'nothing is stored');
		default:
			throw badChunk(ref, `unknown codec ${stored[0]}`);
	}
}

/** `chunk_bad` for what lies in this place. */
export function badChunk(ref: ChunkRef, why: string, cause?: unknown): RouseError {
	const { digest, packId, offsetBytes, storedBytes } = ref;
	return new RouseError(
		'chunk_bad',
		`chunk ${digest} in pack ${packId} at offset ${offsetBytes} (${storedBytes} bytes): ${why}`,
		{
			cause,
			hint: 'run `rouse backup verify` to see what else is damaged; put the pack back from a copy of the repository',
			details: { digest, packId, offsetBytes, storedBytes },
		},
	);
}
