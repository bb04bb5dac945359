import type { ChunkRef } from '../../model/chunk.ts';
import { maxStoredBytes, minStoredBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { maxPackBytes } from './pack.ts';

/** Bytes of a chunk reference: in a page entry, and on a repository mover's socket (docs/format.md, "Reference"). */
export const chunkRefBytes = 56;

/** A chunk whose bytes are all zero is not stored; its entry is 56 zero bytes. */
export type PageEntry = ChunkRef | 'zero';

const digestBytes = 32;
const packIdAt = 32;
const offsetAt = 48;
const storedAt = 52;
const zeros = Buffer.alloc(chunkRefBytes);

/** Writes the 56 bytes of an entry at `at`. */
export function encodeChunkRef(entry: PageEntry, into: Buffer, at = 0): void {
	if (entry === 'zero') {
		into.fill(0, at, at + chunkRefBytes);
		return;
	}
	into.write(entry.digest, at, digestBytes, 'hex');
	into.write(entry.packId, at + packIdAt, 16, 'hex');
	into.writeUInt32LE(entry.offsetBytes, at + offsetAt);
	into.writeUInt32LE(entry.storedBytes, at + storedAt);
}

/** Stored bytes of the entry at `at`, 0 for a zero entry; `format_damaged` when it is no reference and not all zero. */
export function storedBytesOf(from: Buffer, at: number): number {
	if (from.length < at + chunkRefBytes)
		throw new RouseError('format_damaged', `reference at ${at} ends past its ${from.length} bytes`);
	const storedBytes = from.readUInt32LE(at + storedAt);
	if (storedBytes === 0) {
		if (from.compare(zeros, 0, chunkRefBytes, at, at + chunkRefBytes) === 0) return 0;
		throw new RouseError('format_damaged', `reference at ${at} has a digest or a place, and no stored bytes`);
	}
	if (storedBytes < minStoredBytes || storedBytes > maxStoredBytes)
		throw new RouseError(
			'format_damaged',
			`reference at ${at} of ${storedBytes} bytes, not ${minStoredBytes} to ${maxStoredBytes}`,
		);
	const offsetBytes = from.readUInt32LE(at + offsetAt);
	if (offsetBytes + storedBytes > maxPackBytes)
		throw new RouseError(
			'format_damaged',
			`reference at ${at} of ${storedBytes} bytes from ${offsetBytes} on, which no pack reaches`,
		);
	return storedBytes;
}

/** Reads the 56 bytes at `at`; `format_damaged` as {@link storedBytesOf}. */
export function decodeChunkRef(from: Buffer, at = 0): PageEntry {
	const storedBytes = storedBytesOf(from, at);
	if (storedBytes === 0) return 'zero';
	return {
		digest: from.toString('hex', at, at + digestBytes),
		packId: from.toString('hex', at + packIdAt, at + offsetAt),
		offsetBytes: from.readUInt32LE(at + offsetAt),
		storedBytes,
	};
}

/** Whether the entry at `at` is the zero entry, without making a reference of it. */
export function isZeroRef(from: Buffer, at: number): boolean {
	return from.readUInt32LE(at + storedAt) === 0;
}
