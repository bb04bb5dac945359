import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { digestBytes, digestOf } from './digest.ts';
import { limits } from './limits.ts';
import { magic, magicBytes } from './magic.ts';

/*
 * Index (docs/format.md, "Index"): records, packs, superseded, buckets, filter, trailer.
 *
 *   record    digest 32 · number of the pack u32 · offset u32 · storedBytes u32
 *   pack      id 16 · bytes of the whole pack u32
 *   bucket    records before it u32, and after the last one the number of all
 *   filter    512 bits a bucket
 *   trailer   magic 8 · id 16 · records u64 · packs u32 · superseded u32 · bucketLog2 u8 · zero 7
 *             · digest of the records 32 · digest of what is between them and the trailer 32 · digest of the 112 bytes before 32
 */
export const indexRecordBytes = digestBytes + 12;
export const indexPackBytes = 20;
export const idBytes = 16;
export const bucketBytes = 4;
export const bucketFilterBytes = 64;
export const indexTrailerBytes = 144;
const bucketRecords = 64;
const filterBits = bucketFilterBytes * 8;
/** Where in a digest the numbers of its bits are; the bytes before them choose bucket and order. */
const filterNumbersAt: readonly number[] = [8, 10, 12, 14, 16];
const trailerDigestAt = 112;

export interface IndexCounts {
	records: number;
	packs: number;
	superseded: number;
	/** Binary logarithm of the number of buckets. */
	bucketLog2: number;
}

export interface IndexTrailer extends IndexCounts {
	indexId: string;
	recordsDigest: Buffer;
	/** Of packs, superseded, buckets and filter. */
	tablesDigest: Buffer;
}

/** Where the sections begin; records begin at 0. */
export interface IndexLayout {
	packsAt: number;
	supersededAt: number;
	bucketsAt: number;
	filterAt: number;
	trailerAt: number;
	sizeBytes: number;
}

/** The smallest number of buckets that has no more than 64 records in each, on average. */
export function bucketLog2For(records: number): number {
	let log2 = 0;
	while (records > bucketRecords * 2 ** log2) log2++;
	return log2;
}

export function indexLayout({ records, packs, superseded, bucketLog2 }: IndexCounts): IndexLayout {
	const packsAt = indexRecordBytes * records;
	const supersededAt = packsAt + indexPackBytes * packs;
	const bucketsAt = supersededAt + idBytes * superseded;
	const filterAt = bucketsAt + bucketBytes * (2 ** bucketLog2 + 1);
	const trailerAt = filterAt + bucketFilterBytes * 2 ** bucketLog2;
	return { packsAt, supersededAt, bucketsAt, filterAt, trailerAt, sizeBytes: trailerAt + indexTrailerBytes };
}

/** The highest bits of the first four bytes of the digest at `at`. */
export function bucketOf(bytes: Buffer, at: number, bucketLog2: number): number {
	// A shift by 32 would be one by 0.
	return bucketLog2 === 0 ? 0 : bytes.readUInt32BE(at) >>> (32 - bucketLog2);
}

/** The bits of a digest in its bucket's part of the filter. */
export function filterBitsOf(bytes: Buffer, digestAt: number): number[] {
	return filterNumbersAt.map(numberAt => bytes.readUInt16LE(digestAt + numberAt) % filterBits);
}

/** `filterAt`: where the bucket's part of the filter begins. */
export function addToFilter(filter: Buffer, filterAt: number, bits: readonly number[]): void {
	for (const bit of bits) {
		const byteAt = filterAt + (bit >>> 3);
		filter[byteAt] = (filter[byteAt] ?? 0) | (1 << (bit & 7));
	}
}

/** False: the index does not have a digest with these bits. */
export function filterMayHave(filter: Buffer, filterAt: number, bits: readonly number[]): boolean {
	for (const bit of bits) if (((filter[filterAt + (bit >>> 3)] ?? 0) & (1 << (bit & 7))) === 0) return false;
	return true;
}

/** A record without its digest. */
export interface IndexPlace {
	packNumber: number;
	offsetBytes: number;
	storedBytes: number;
}

export function writePlace(into: Buffer, recordAt: number, { packNumber, offsetBytes, storedBytes }: IndexPlace): void {
	into.writeUInt32LE(packNumber, recordAt + digestBytes);
	into.writeUInt32LE(offsetBytes, recordAt + digestBytes + 4);
	into.writeUInt32LE(storedBytes, recordAt + digestBytes + 8);
}

export function readPlace(from: Buffer, recordAt: number): IndexPlace {
	return {
		packNumber: from.readUInt32LE(recordAt + digestBytes),
		offsetBytes: from.readUInt32LE(recordAt + digestBytes + 4),
		storedBytes: from.readUInt32LE(recordAt + digestBytes + 8),
	};
}

/** By digest, then by number of the pack, then by offset. */
export function compareRecords(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
	// Decides nearly always, and is far faster than a call of compare.
	const byPrefix = a.readUInt32BE(aAt) - b.readUInt32BE(bAt);
	if (byPrefix !== 0) return byPrefix;
	const byDigest = a.compare(b, bAt, bAt + digestBytes, aAt, aAt + digestBytes);
	if (byDigest !== 0) return byDigest;
	const byPack = a.readUInt32LE(aAt + digestBytes) - b.readUInt32LE(bAt + digestBytes);
	if (byPack !== 0) return byPack;
	return a.readUInt32LE(aAt + digestBytes + 4) - b.readUInt32LE(bAt + digestBytes + 4);
}

export function encodeIndexTrailer(trailer: IndexTrailer): Buffer {
	const bytes = Buffer.alloc(indexTrailerBytes);
	magic.index.bytes.copy(bytes);
	bytes.write(trailer.indexId, 8, idBytes, 'hex');
	bytes.writeBigUInt64LE(BigInt(trailer.records), 24);
	bytes.writeUInt32LE(trailer.packs, 32);
	bytes.writeUInt32LE(trailer.superseded, 36);
	bytes.writeUInt8(trailer.bucketLog2, 40);
	trailer.recordsDigest.copy(bytes, 48);
	trailer.tablesDigest.copy(bytes, 80);
	digestOf(bytes.subarray(0, trailerDigestAt)).copy(bytes, trailerDigestAt);
	return bytes;
}

/** The trailer of an index of `sizeBytes` bytes: all of it is checked, and that the sections fill the object. Throws `format_damaged`. */
export function decodeIndexTrailer(bytes: Buffer, indexId: string, sizeBytes: number): IndexTrailer {
	if (bytes.length !== indexTrailerBytes) throw damagedIndex(indexId, `it has ${exactBytes(sizeBytes)}`);
	if (!digestOf(bytes.subarray(0, trailerDigestAt)).equals(bytes.subarray(trailerDigestAt)))
		throw damagedIndex(indexId, 'its trailer does not match its digest');
	if (!bytes.subarray(0, magicBytes).equals(magic.index.bytes)) throw damagedIndex(indexId, 'its trailer is none');
	const inside = bytes.toString('hex', 8, 24);
	if (inside !== indexId) throw damagedIndex(indexId, `its trailer says that it is index ${inside}`);
	if (bytes.readUIntLE(41, 6) !== 0 || bytes.readUInt8(47) !== 0)
		throw damagedIndex(indexId, 'the reserved field of its trailer is not zero');
	const counts = {
		records: Number(bytes.readBigUInt64LE(24)),
		packs: bytes.readUInt32LE(32),
		superseded: bytes.readUInt32LE(36),
		bucketLog2: bytes.readUInt8(40),
	};
	checkCounts(indexId, counts);
	const expected = indexLayout(counts).sizeBytes;
	if (expected !== sizeBytes)
		throw damagedIndex(indexId, `its sections take ${exactBytes(expected)}, it has ${exactBytes(sizeBytes)}`);
	return { indexId, ...counts, recordsDigest: bytes.subarray(48, 80), tablesDigest: bytes.subarray(80, 112) };
}

function checkCounts(indexId: string, { records, packs, superseded, bucketLog2 }: IndexCounts): void {
	if (records < 1 || records > limits.indexRecords) throw damagedIndex(indexId, `it announces ${records} records`);
	if (packs < 1 || packs > Math.min(records, limits.indexPacks))
		throw damagedIndex(indexId, `it announces ${packs} packs for ${records} records`);
	if (superseded > limits.indexSuperseded) throw damagedIndex(indexId, `it supersedes ${superseded} others`);
	if (bucketLog2 !== bucketLog2For(records))
		throw damagedIndex(indexId, `2^${bucketLog2} buckets for ${records} records`);
}

export function damagedIndex(indexId: string, why: string): RouseError {
	return new RouseError('format_damaged', `index ${indexId}: ${why}`, {
		hint: 'nothing is lost by it: the next import makes another from the packs',
		details: { indexId },
	});
}
