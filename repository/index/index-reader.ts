import { Digester, digestBytes } from '../format/digest.ts';
import {
	bucketBytes,
	bucketFilterBytes,
	bucketOf,
	damagedIndex,
	decodeIndexTrailer,
	filterBitsOf,
	filterMayHave,
	idBytes,
	indexLayout,
	type IndexLayout,
	indexPackBytes,
	indexRecordBytes,
	type IndexTrailer,
	indexTrailerBytes,
	readPlace,
} from '../format/index-object.ts';
import { keys } from '../format/keys.ts';
import type { Store } from '../store/contract.ts';
import { printBytes, RecordPrints } from './record-prints.ts';
import { giveBack, searchRecords, takeBlock } from './search-blocks.ts';

/** An index that was listed and is not there any more: another one stands for it. */
export class IndexGone extends Error {
	constructor(indexId: string) {
		super(`index ${indexId} is gone`);
	}
}

/** Where an index says that a digest is: true when the pack's footer says so too. */
export interface IndexedPlace {
	packId: string;
	/** Of the whole pack. */
	packBytes: number;
	offsetBytes: number;
	storedBytes: number;
}

/** Records, and bytes of tables, of one read of who reads all of them. */
const streamRecords = 5957;
const streamBytes = 256 * 1024;

/**
 * An index in a store. Its methods throw {@link IndexGone}, `format_damaged` for what cannot be in an index, and what the
 * store throws. May be used concurrently.
 */
export class IndexReader {
	readonly #store: Store;
	readonly #layout: IndexLayout;
	readonly trailer: IndexTrailer;
	/** All between records and trailer, when it is kept in memory. */
	#tables: Buffer | undefined;
	#prints: RecordPrints | undefined;
	/** Searches that read records and found nothing. */
	vainSearches = 0;

	private constructor(store: Store, trailer: IndexTrailer) {
		this.#store = store;
		this.trailer = trailer;
		this.#layout = indexLayout(trailer);
	}

	/** Reads and checks the trailer. */
	static async open(
		store: Store,
		{ indexId, sizeBytes }: { indexId: string; sizeBytes: number },
		signal?: AbortSignal,
	): Promise<IndexReader> {
		const bytes = Buffer.alloc(Math.min(sizeBytes, indexTrailerBytes));
		const filled = await store.read(keys.index(indexId), sizeBytes - bytes.length, bytes, signal);
		if (filled === undefined) throw new IndexGone(indexId);
		return new IndexReader(store, decodeIndexTrailer(bytes.subarray(0, filled), indexId, sizeBytes));
	}

	get indexId(): string {
		return this.trailer.indexId;
	}

	/** What {@link keepTables} takes in memory. */
	get tablesBytes(): number {
		return this.#layout.trailerAt - this.#layout.packsAt;
	}

	get keepsTables(): boolean {
		return this.#tables !== undefined;
	}

	/** Reads all but the records into memory, so that most digests that the index does not have cost no read. */
	async keepTables(signal?: AbortSignal): Promise<void> {
		const tables = await this.#read(this.#layout.packsAt, this.tablesBytes, signal);
		if (!new Digester().update(tables).digest().equals(this.trailer.tablesDigest))
			throw damagedIndex(this.indexId, 'its tables do not match their digest');
		this.#tables = tables;
	}

	dropTables(): void {
		this.#tables = undefined;
		this.#prints = undefined;
	}

	/** What {@link keepPrints} takes in memory. */
	get printsBytes(): number {
		return printBytes * this.trailer.records;
	}

	get keepsPrints(): boolean {
		return this.#prints !== undefined;
	}

	/** Reads all records, so that hardly any digest that the index does not have costs a read. Of use with its tables alone. */
	async keepPrints(signal?: AbortSignal): Promise<void> {
		const prints = await RecordPrints.of(this.trailer.records, this.#recordsInPassing(signal));
		if (this.keepsTables) this.#prints = prints;
	}

	/** Ids of the indexes that this one stands for. */
	async superseded(signal?: AbortSignal): Promise<string[]> {
		const ids = await this.#read(this.#layout.supersededAt, idBytes * this.trailer.superseded, signal);
		return Array.from({ length: this.trailer.superseded }, (_, number) =>
			ids.toString('hex', idBytes * number, idBytes * (number + 1)),
		);
	}

	/** False: it does not have the digest, as far as can be said without reading anything. `filterBits`: those of the digest. */
	mayHave(digest: Buffer, filterBits: readonly number[]): boolean {
		if (this.#tables === undefined) return true;
		const { packsAt, bucketsAt } = this.#layout;
		if (!filterMayHave(this.#tables, this.#filterAt(digest) - packsAt, filterBits)) return false;
		if (this.#prints === undefined) return true;
		const at = bucketsAt - packsAt + bucketBytes * bucketOf(digest, 0, this.trailer.bucketLog2);
		const [begin, end] = [this.#tables.readUInt32LE(at), this.#tables.readUInt32LE(at + bucketBytes)];
		return begin > end || end > this.trailer.records || this.#prints.mayHave(digest, begin, end);
	}

	/** All places of a digest, read as they are asked for. */
	async *find(digest: Buffer, signal?: AbortSignal): AsyncGenerator<IndexedPlace> {
		if (this.#tables === undefined) {
			const filter = await this.#read(this.#filterAt(digest), bucketFilterBytes, signal);
			if (!filterMayHave(filter, 0, filterBitsOf(digest, 0))) return;
		}
		let block: Buffer | undefined = takeBlock();
		try {
			yield* this.#findInBucket(digest, block, signal);
		} catch (error) {
			block = undefined; // a read that was given up may still fill it
			throw error;
		} finally {
			if (block !== undefined) giveBack(block);
		}
	}

	async *#findInBucket(digest: Buffer, block: Buffer, signal: AbortSignal | undefined): AsyncGenerator<IndexedPlace> {
		const bucket = await this.#bucket(digest, signal);
		for (let at = await this.#narrow(digest, bucket, block, signal); at < bucket.end; at += searchRecords) {
			const lengthBytes = indexRecordBytes * Math.min(searchRecords, bucket.end - at);
			await this.#readInto(block.subarray(0, lengthBytes), indexRecordBytes * at, signal);
			for (let recordAt = 0; recordAt < lengthBytes; recordAt += indexRecordBytes) {
				const order = digest.compare(block, recordAt, recordAt + digestBytes);
				if (order < 0) return;
				if (order === 0) yield await this.#place(block, recordAt, signal);
			}
		}
	}

	/** The table of packs in pieces of whole entries. */
	async *packTable(signal?: AbortSignal): AsyncGenerator<Buffer> {
		const { packsAt, supersededAt } = this.#layout;
		const pieceBytes = streamBytes - (streamBytes % indexPackBytes);
		for (let at = packsAt; at < supersededAt; at += pieceBytes)
			yield await this.#read(at, Math.min(pieceBytes, supersededAt - at), signal);
	}

	/** The table of packs, after all that its digest covers was compared. */
	async verifiedPacks(signal?: AbortSignal): Promise<Buffer> {
		const { packsAt, supersededAt, trailerAt } = this.#layout;
		const packs = await this.#read(packsAt, supersededAt - packsAt, signal);
		const digester = new Digester().update(packs);
		for (let at = supersededAt; at < trailerAt; at += streamBytes)
			digester.update(await this.#read(at, Math.min(streamBytes, trailerAt - at), signal));
		if (!digester.digest().equals(this.trailer.tablesDigest))
			throw damagedIndex(this.indexId, 'its tables do not match their digest');
		return packs;
	}

	/** All records in their order; a block is the receiver's. Damage may be told as late as after the last one. */
	allRecords(signal?: AbortSignal): AsyncGenerator<Buffer> {
		return this.#recordsIn(bytes => Buffer.allocUnsafeSlow(bytes), signal);
	}

	/** As {@link allRecords}; a block is used again when the next one is asked for. */
	#recordsInPassing(signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
		const block = Buffer.allocUnsafeSlow(indexRecordBytes * Math.min(streamRecords, this.trailer.records));
		return this.#recordsIn(bytes => block.subarray(0, bytes), signal);
	}

	async *#recordsIn(blockOf: (bytes: number) => Buffer, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
		const { records, recordsDigest } = this.trailer;
		const digester = new Digester();
		for (let at = 0; at < records; at += streamRecords) {
			const block = blockOf(indexRecordBytes * Math.min(streamRecords, records - at));
			await this.#readInto(block, indexRecordBytes * at, signal);
			digester.update(block);
			yield block;
		}
		if (!digester.digest().equals(recordsDigest))
			throw damagedIndex(this.indexId, 'its records do not match their digest');
	}

	#filterAt(digest: Buffer): number {
		return this.#layout.filterAt + bucketFilterBytes * bucketOf(digest, 0, this.trailer.bucketLog2);
	}

	/** Its first record, and the one behind its last. */
	async #bucket(digest: Buffer, signal: AbortSignal | undefined): Promise<{ begin: number; end: number }> {
		const number = bucketOf(digest, 0, this.trailer.bucketLog2);
		const bounds = await this.#read(this.#layout.bucketsAt + bucketBytes * number, 2 * bucketBytes, signal);
		const [begin, end] = [bounds.readUInt32LE(0), bounds.readUInt32LE(bucketBytes)];
		if (begin > end || end > this.trailer.records)
			throw damagedIndex(this.indexId, `bucket ${number} has records ${begin} to ${end} of ${this.trailer.records}`);
		return { begin, end };
	}

	/**
	 * A record of the bucket before which none has the digest, and from which on it is not far. Whoever chooses a guest's
	 * data can fill a bucket: so by halving.
	 */
	async #narrow(
		digest: Buffer,
		bucket: { begin: number; end: number },
		block: Buffer,
		signal: AbortSignal | undefined,
	): Promise<number> {
		let { begin, end } = bucket;
		while (end - begin > searchRecords) {
			const middle = begin + Math.floor((end - begin) / 2);
			await this.#readInto(block.subarray(0, indexRecordBytes), indexRecordBytes * middle, signal);
			if (digest.compare(block, 0, digestBytes) > 0) begin = middle + 1;
			else end = middle;
		}
		return begin;
	}

	async #place(block: Buffer, recordAt: number, signal: AbortSignal | undefined): Promise<IndexedPlace> {
		const { packNumber, offsetBytes, storedBytes } = readPlace(block, recordAt);
		if (packNumber >= this.trailer.packs)
			throw damagedIndex(this.indexId, `a record names pack ${packNumber} of ${this.trailer.packs}`);
		const entry = await this.#read(this.#layout.packsAt + indexPackBytes * packNumber, indexPackBytes, signal);
		const packId = entry.toString('hex', 0, idBytes);
		return { packId, packBytes: entry.readUInt32LE(idBytes), offsetBytes, storedBytes };
	}

	async #read(at: number, lengthBytes: number, signal: AbortSignal | undefined): Promise<Buffer> {
		const inTables = at - this.#layout.packsAt;
		if (this.#tables !== undefined && inTables >= 0) return this.#tables.subarray(inTables, inTables + lengthBytes);
		const bytes = lengthBytes < streamBytes ? Buffer.allocUnsafe(lengthBytes) : Buffer.allocUnsafeSlow(lengthBytes);
		await this.#readInto(bytes, at, signal);
		return bytes;
	}

	async #readInto(bytes: Buffer, at: number, signal: AbortSignal | undefined): Promise<void> {
		const filled = await this.#store.read(keys.index(this.indexId), at, bytes, signal);
		if (filled === undefined) throw new IndexGone(this.indexId);
		if (filled < bytes.length) throw damagedIndex(this.indexId, `it ends at ${at + filled}`);
	}
}
