/**
 * The restored map: which chunks of a target hold their bytes on stable storage. An append-only journal beside the
 * target, created after it and removed before it. All numbers are little-endian, as in docs/format.md.
 *
 * Header, 192 bytes, written once:
 *
 *     offset size
 *          0    8  magic: first 8 bytes of sha256("Rouse restored map")
 *          8    4  version: 0
 *         12    4  flags: bit 0 = the target read as zero when the map was created; the others are 0
 *         16   16  recoveryId
 *         32   32  content digest of the disk
 *         64    8  exact size of the disk in bytes
 *         72    4  chunk size in bytes
 *         76    4  number of chunks = ceil(size / chunk size)
 *         80   64  identity of the target, printable ASCII, filled with 0: the name that the host's platform gives it
 *        144   16  nonce, random
 *        160   28  0
 *        188    4  CRC-32 of bytes 0 to 187
 *
 * Record n (n = 0, 1, …), 16 bytes, at 192 + 16 n:
 *
 *          0    4  n modulo 2^32
 *          4    4  first chunk
 *          8    4  number of chunks, at least 1
 *         12    4  CRC-32 of the nonce and bytes 0 to 11
 *
 * A record says that these chunks were written to the target and that fdatasync of the target returned before the record
 * was written. Records may overlap and repeat. The first record that is not whole ends the map: nothing after it counts,
 * and the next writer cuts it off. Number and nonce in the checksum keep an old block of the disk, or a record of another
 * map that lay there before, from passing for a record. 16 divides every sector size and the header is a multiple of it,
 * so no record lies across two sectors.
 */
import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { RouseError } from '../../model/errors.ts';
import type { RestoredMapIdentity } from './identity.ts';

/** First 8 bytes of sha256("Rouse restored map"). */
export const mapMagic = Buffer.from('1c6bf7569619f766', 'hex');
const mapVersion = 0;
export const headerBytes = 192;
const checkedBytes = headerBytes - 4;
const identityBytes = 64;
export const recordBytes = 16;

const flagTargetReadsZero = 1;

export interface RestoredMapHeader {
	identity: RestoredMapIdentity;
	/** The target was freshly allocated: what was never written to it reads as zero. */
	targetReadsZero: boolean;
	nonce: Uint8Array;
}

/** A run of chunks. */
export interface ChunkRange {
	first: number;
	count: number;
}

const targetIdentity = /^[\x21-\x7e]{1,64}$/;

export function newNonce(): Uint8Array {
	return Uint8Array.from(randomBytes(16));
}

export function encodeHeader(header: RestoredMapHeader): Buffer {
	const { identity } = header;
	const bytes = Buffer.alloc(headerBytes);
	mapMagic.copy(bytes, 0);
	bytes.writeUInt32LE(mapVersion, 8);
	bytes.writeUInt32LE(header.targetReadsZero ? flagTargetReadsZero : 0, 12);
	bytes.write(identity.recoveryId.replaceAll('-', ''), 16, 16, 'hex');
	bytes.write(identity.contentDigest, 32, 32, 'hex');
	bytes.writeBigUInt64LE(BigInt(identity.sizeBytes), 64);
	bytes.writeUInt32LE(identity.chunkSizeBytes, 72);
	bytes.writeUInt32LE(chunkCountOf(identity), 76);
	if (!targetIdentity.test(identity.target))
		throw new RouseError('internal', `"${identity.target}" cannot be the identity of a target`);
	bytes.write(identity.target, 80, identityBytes, 'latin1');
	bytes.set(header.nonce, 144);
	bytes.writeUInt32LE(crc32(bytes.subarray(0, checkedBytes)), checkedBytes);
	return bytes;
}

/** Throws `format_damaged`, or `repository_unsupported` for a map of a newer version. */
export function decodeHeader(bytes: Buffer, path: string): RestoredMapHeader {
	if (bytes.length < headerBytes || !bytes.subarray(0, 8).equals(mapMagic))
		throw damaged(path, `no restored map (${bytes.length} bytes)`);
	if (crc32(bytes.subarray(0, checkedBytes)) !== bytes.readUInt32LE(checkedBytes))
		throw damaged(path, 'checksum of the header is wrong');
	const version = bytes.readUInt32LE(8);
	const flags = bytes.readUInt32LE(12);
	if (version !== mapVersion || (flags & ~flagTargetReadsZero) !== 0)
		throw new RouseError('repository_unsupported', `${path}: restored map of version ${version}, flags ${flags}`, {
			hint: 'it was made by a newer Rouse',
		});
	const identity: RestoredMapIdentity = {
		recoveryId: uuidOf(bytes.subarray(16, 32)),
		contentDigest: bytes.toString('hex', 32, 64),
		sizeBytes: Number(bytes.readBigUInt64LE(64)),
		chunkSizeBytes: bytes.readUInt32LE(72),
		target: bytes.toString('latin1', 80, 80 + identityBytes).replace(/\0+$/, ''),
	};
	if (!targetIdentity.test(identity.target)) throw damaged(path, 'the identity of its target is none');
	if (identity.chunkSizeBytes === 0 || chunkCountOf(identity) !== bytes.readUInt32LE(76))
		throw damaged(path, `${bytes.readUInt32LE(76)} chunks for ${identity.sizeBytes} bytes`);
	return {
		identity,
		targetReadsZero: (flags & flagTargetReadsZero) !== 0,
		nonce: Uint8Array.from(bytes.subarray(144, 160)),
	};
}

export function chunkCountOf({ sizeBytes, chunkSizeBytes }: { sizeBytes: number; chunkSizeBytes: number }): number {
	return Math.ceil(sizeBytes / chunkSizeBytes);
}

/** Encodes and decodes the records of one map. */
export class RecordCodec {
	readonly #nonceCrc: number;
	readonly #chunkCount: number;

	constructor(header: RestoredMapHeader) {
		this.#nonceCrc = crc32(header.nonce);
		this.#chunkCount = chunkCountOf(header.identity);
	}

	encode(firstNumber: number, ranges: readonly ChunkRange[]): Buffer {
		const bytes = Buffer.alloc(ranges.length * recordBytes);
		let at = 0;
		for (const { first, count } of ranges) {
			if (count < 1 || first + count > this.#chunkCount)
				throw new RouseError('internal', `chunks ${first} + ${count} of ${this.#chunkCount} cannot be recorded`);
			bytes.writeUInt32LE((firstNumber + at / recordBytes) >>> 0, at);
			bytes.writeUInt32LE(first, at + 4);
			bytes.writeUInt32LE(count, at + 8);
			bytes.writeUInt32LE(crc32(bytes.subarray(at, at + 12), this.#nonceCrc), at + 12);
			at += recordBytes;
		}
		return bytes;
	}

	/** The range in the record at `at`, or undefined when it is not the whole record with that number. */
	decode(bytes: Buffer, at: number, number: number): ChunkRange | undefined {
		if (at + recordBytes > bytes.length || bytes.readUInt32LE(at) !== number >>> 0) return undefined;
		if (crc32(bytes.subarray(at, at + 12), this.#nonceCrc) !== bytes.readUInt32LE(at + 12)) return undefined;
		const first = bytes.readUInt32LE(at + 4);
		const count = bytes.readUInt32LE(at + 8);
		return count < 1 || first + count > this.#chunkCount ? undefined : { first, count };
	}
}

function uuidOf(bytes: Buffer): string {
	return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function damaged(path: string, what: string): RouseError {
	return new RouseError('format_damaged', `${path}: ${what}`, {
		hint: 'the target cannot be trusted without its map: discard the recovery and start it again',
		details: { next: 'discard' },
	});
}
