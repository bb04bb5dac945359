import { RouseError } from '../../model/errors.ts';
import { digestBytes } from '../format/digest.ts';
import { compareRecords, indexPackBytes, indexRecordBytes, idBytes, writePlace } from '../format/index-object.ts';
import type { PackFooter } from '../format/pack.ts';
import type { Store } from '../store/contract.ts';
import { writeIndex } from './write-index.ts';

/** A pack that is in the store, and what its footer says. */
export interface IndexedPack {
	footer: PackFooter;
	/** Of the whole pack. */
	sizeBytes: number;
}

/** An index is written for so much (docs/format.md, "Index"): some 12 MB of records. */
const fullPacks = 64;
const fullChunks = 262_144;

/** Bits of a record's number when records are sorted: what an index of one draft may have at most. */
const numberRange = 2 ** 22;
/** 30 bits before the number make 52: a double has room for both. */
const prefixShift = 2;

/** An index of packs, to be written. */
export class IndexDraft {
	readonly #packs = new Map<string, number>();
	#records = Buffer.alloc(0);
	#chunks = 0;

	get isEmpty(): boolean {
		return this.#chunks === 0;
	}

	get isFull(): boolean {
		return this.#packs.size >= fullPacks || this.#chunks >= fullChunks;
	}

	/** Nothing happens when it was added before. */
	add({ footer: { packId, chunks }, sizeBytes }: IndexedPack): void {
		if (this.#packs.has(packId)) return;
		const packNumber = this.#packs.size;
		this.#packs.set(packId, sizeBytes);
		this.#makeRoom(this.#chunks + chunks.length);
		for (const { digest, offsetBytes, storedBytes } of chunks) {
			const at = indexRecordBytes * this.#chunks++;
			this.#records.write(digest, at, digestBytes, 'hex');
			writePlace(this.#records, at, { packNumber, offsetBytes, storedBytes });
		}
	}

	/** Makes an index of what was added, and returns its id. The draft must not be used any more. */
	async write(store: Store, superseded: readonly string[], signal?: AbortSignal): Promise<string> {
		const packIds = [...this.#packs.keys()];
		const sorted = packIds.toSorted();
		const packs = Buffer.alloc(indexPackBytes * sorted.length);
		for (const [number, packId] of sorted.entries()) {
			packs.write(packId, indexPackBytes * number, idBytes, 'hex');
			packs.writeUInt32LE(this.#packs.get(packId) ?? 0, indexPackBytes * number + idBytes);
		}
		const numbers = new Map(sorted.map((packId, number) => [packId, number]));
		this.#renumber(packIds.map(packId => numbers.get(packId) ?? 0));
		const order = sortedOrder(this.#records, this.#chunks);
		const records = () => inOrder(this.#records, order);
		return writeIndex(store, { packs, superseded, maxRecords: this.#chunks, records }, signal);
	}

	#makeRoom(chunks: number): void {
		if (indexRecordBytes * chunks <= this.#records.length) return;
		const records = Buffer.allocUnsafeSlow(indexRecordBytes * Math.max(chunks, 2 * this.#chunks));
		this.#records.copy(records, 0, 0, indexRecordBytes * this.#chunks);
		this.#records = records;
	}

	/** `numbers`: by the order in which packs were added, what they are in the table. */
	#renumber(numbers: readonly number[]): void {
		for (let at = digestBytes; at < indexRecordBytes * this.#chunks; at += indexRecordBytes)
			this.#records.writeUInt32LE(numbers[this.#records.readUInt32LE(at)] ?? 0, at);
	}
}

/**
 * Numbers of records in their order. By the first bits of their digests as plain numbers, which is far faster than
 * comparing; what these leave open is compared.
 */
function sortedOrder(records: Buffer, count: number): Uint32Array {
	if (count > numberRange) throw new RouseError('internal', `${count} records, at most ${numberRange}`);
	const prefixAt = (number: number) => records.readUInt32BE(indexRecordBytes * number) >>> prefixShift;
	const sortKeys = Float64Array.from(
		{ length: count },
		(_, number) => prefixAt(number) * numberRange + number,
	).toSorted();
	const order = Uint32Array.from(sortKeys, key => key % numberRange);
	for (let from = 0, to = 1; from < count; from = to++) {
		const prefix = prefixAt(order[from] ?? 0);
		while (to < count && prefixAt(order[to] ?? 0) === prefix) to++;
		if (to - from > 1)
			order
				.subarray(from, to)
				.sort((a, b) => compareRecords(records, indexRecordBytes * a, records, indexRecordBytes * b));
	}
	return order;
}

const blockRecords = 4096;

async function* inOrder(records: Buffer, order: Uint32Array): AsyncGenerator<Buffer> {
	const block = Buffer.allocUnsafe(indexRecordBytes * Math.min(blockRecords, order.length));
	let filled = 0;
	for (const number of order) {
		filled += records.copy(block, filled, indexRecordBytes * number, indexRecordBytes * (number + 1));
		if (filled < block.length) continue;
		yield block;
		filled = 0;
	}
	yield block.subarray(0, filled);
}
