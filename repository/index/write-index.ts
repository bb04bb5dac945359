import { randomBytes } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { RouseError } from '../../model/errors.ts';
import { Digester } from '../format/digest.ts';
import {
	addToFilter,
	bucketBytes,
	bucketFilterBytes,
	bucketLog2For,
	bucketOf,
	compareRecords,
	decodeIndexTrailer,
	encodeIndexTrailer,
	filterBitsOf,
	idBytes,
	indexLayout,
	indexPackBytes,
	indexRecordBytes,
	readPlace,
} from '../format/index-object.ts';
import { keys } from '../format/keys.ts';
import type { ObjectWriter, Store } from '../store/contract.ts';

/** What an index is made of. */
export interface IndexContent {
	/** Entries of the table of packs, sorted. */
	packs: Buffer;
	/** Ids of indexes that this one stands for. */
	superseded: readonly string[];
	/** There may be fewer. */
	maxRecords: number;
	/**
	 * Whole records in their order, any number of them in a block, which is not used after the next one is asked for. Called
	 * twice, and must give the same: so the filter need not be kept in memory, nor written before it is known how long it is.
	 */
	records: () => AsyncIterable<Buffer>;
}

/**
 * Writes an index and returns its id; memory does not depend on its length, 4 bytes for each 64 records apart. What could
 * mislead a reader is checked before anybody can see it: `internal` for records out of order.
 */
export async function writeIndex(store: Store, content: IndexContent, signal?: AbortSignal): Promise<string> {
	const indexId = randomBytes(idBytes).toString('hex');
	const writer = await store.create(keys.index(indexId), signal);
	try {
		await writeSections(writer, indexId, content);
		if (!(await writer.finish()))
			throw new RouseError('internal', `an index with the random id ${indexId} exists already`);
		return indexId;
	} catch (error) {
		await writer.abandon().catch(() => {}); // the first failure is the one to tell
		throw error;
	}
}

async function writeSections(writer: ObjectWriter, indexId: string, content: IndexContent): Promise<void> {
	const { packs, superseded, maxRecords, records } = content;
	const buckets = new BucketCounts(maxRecords);
	const order = new RecordOrder(indexId, packs.length / indexPackBytes);
	const recordsDigest = new Digester();
	for await (const block of records()) {
		order.check(block);
		buckets.count(block);
		recordsDigest.update(block);
		await writer.append(block);
	}
	const counts = {
		records: order.records,
		packs: packs.length / indexPackBytes,
		superseded: superseded.length,
		bucketLog2: bucketLog2For(order.records),
	};
	const tablesDigest = new Digester();
	const append = async (bytes: Buffer) => {
		tablesDigest.update(bytes);
		await writer.append(bytes);
	};
	await append(packs);
	await append(Buffer.from(superseded.toSorted().join(''), 'hex'));
	await append(buckets.encode(counts.bucketLog2));
	for await (const piece of filterPieces(records(), counts)) await append(piece);
	const trailer = {
		indexId,
		...counts,
		recordsDigest: recordsDigest.digest(),
		tablesDigest: tablesDigest.digest(),
	};
	const bytes = encodeIndexTrailer(trailer);
	if (!isDeepStrictEqual(decodeIndexTrailer(bytes, indexId, indexLayout(counts).sizeBytes), trailer))
		throw new RouseError('internal', `the trailer of index ${indexId} reads back differently: bad memory, or a bug`);
	await writer.append(bytes);
}

/** That records come in order, each once, and name packs that there are. */
class RecordOrder {
	readonly #indexId: string;
	readonly #packs: number;
	readonly #last = Buffer.alloc(indexRecordBytes);
	records = 0;

	constructor(indexId: string, packs: number) {
		this.#indexId = indexId;
		this.#packs = packs;
	}

	check(block: Buffer): void {
		for (let at = 0; at < block.length; at += indexRecordBytes) {
			const before = at === 0 ? this.#last : block;
			const isFirst = this.records === 0 && at === 0;
			const ascends = isFirst || compareRecords(before, at === 0 ? 0 : at - indexRecordBytes, block, at) < 0;
			if (!ascends || readPlace(block, at).packNumber >= this.#packs)
				throw new RouseError(
					'internal',
					`record ${this.records + at / indexRecordBytes} of index ${this.#indexId} is out of order: bad memory, or a bug`,
				);
		}
		if (block.length === 0) return;
		this.records += block.length / indexRecordBytes;
		block.copy(this.#last, 0, block.length - indexRecordBytes);
	}
}

/** Records of each bucket, for the most buckets that there may be: what comes out in the end may be fewer. */
class BucketCounts {
	readonly #log2: number;
	readonly #counts: Uint32Array;

	constructor(maxRecords: number) {
		this.#log2 = bucketLog2For(maxRecords);
		this.#counts = new Uint32Array(2 ** this.#log2);
	}

	count(block: Buffer): void {
		for (let at = 0; at < block.length; at += indexRecordBytes) {
			const bucket = bucketOf(block, at, this.#log2);
			this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
		}
	}

	encode(log2: number): Buffer {
		const bytes = Buffer.allocUnsafe(bucketBytes * (2 ** log2 + 1));
		const merged = 2 ** (this.#log2 - log2);
		let before = 0;
		for (const [bucket, count] of this.#counts.entries()) {
			if (bucket % merged === 0) bytes.writeUInt32LE(before, bucketBytes * (bucket / merged));
			before += count;
		}
		bytes.writeUInt32LE(before, bucketBytes * 2 ** log2);
		return bytes;
	}
}

/** Buckets in a piece: 64 KiB. */
const pieceBuckets = 1024;

/** The filter from its first byte to its last; a piece is used again when the next one is asked for. */
async function* filterPieces(
	blocks: AsyncIterable<Buffer>,
	{ records, bucketLog2 }: { records: number; bucketLog2: number },
): AsyncGenerator<Buffer> {
	const buckets = 2 ** bucketLog2;
	const piece = Buffer.alloc(bucketFilterBytes * Math.min(buckets, pieceBuckets));
	const perPiece = piece.length / bucketFilterBytes;
	let first = 0;
	let seen = 0;
	for await (const block of blocks) {
		seen += block.length / indexRecordBytes;
		for (let at = 0; at < block.length; at += indexRecordBytes) {
			const bucket = bucketOf(block, at, bucketLog2);
			for (; bucket >= first + perPiece; first += perPiece) {
				yield piece;
				piece.fill(0);
			}
			addToFilter(piece, bucketFilterBytes * (bucket - first), filterBitsOf(block, at));
		}
	}
	if (seen !== records) throw new RouseError('internal', `${seen} records where ${records} were before`);
	for (; first < buckets; first += perPiece) {
		yield piece;
		piece.fill(0);
	}
}
