import { digestBytes } from '../format/digest.ts';
import { compareRecords, damagedIndex, idBytes, indexPackBytes, indexRecordBytes } from '../format/index-object.ts';
import type { IndexReader } from './index-reader.ts';

/** An index that is merged: numbers of its packs in the new table, by those in its own. */
export interface MergeInput {
	reader: IndexReader;
	numbers: Uint32Array;
}

/** An index that is gone or damaged, found in the middle of a merge; `cause` is what it threw. */
export class InputFailure extends Error {
	readonly reader: IndexReader;

	constructor(reader: IndexReader, cause: unknown) {
		super(`index ${reader.indexId} cannot be merged`, { cause });
		this.reader = reader;
	}
}

/** Says whose failure it is. */
export async function ofInput<T>(reader: IndexReader, work: () => Promise<T>): Promise<T> {
	try {
		return await work();
	} catch (error) {
		throw new InputFailure(reader, error);
	}
}

/** One table of all packs that these sorted ones have. Of one that is in several the length that comes first counts: a hint. */
export function mergeTables(tables: readonly Buffer[]): Buffer {
	if (tables.length <= 1) return tables[0] ?? Buffer.alloc(0);
	const half = tables.length >>> 1;
	return mergeTwo(mergeTables(tables.slice(0, half)), mergeTables(tables.slice(half)));
}

function mergeTwo(a: Buffer, b: Buffer): Buffer {
	const merged = Buffer.allocUnsafe(a.length + b.length);
	let [aAt, bAt, filled] = [0, 0, 0];
	while (aAt < a.length || bAt < b.length) {
		const order = aAt === a.length ? 1 : bAt === b.length ? -1 : compareIds(a, aAt, b, bAt);
		filled +=
			order <= 0
				? a.copy(merged, filled, aAt, aAt + indexPackBytes)
				: b.copy(merged, filled, bAt, bAt + indexPackBytes);
		if (order <= 0) aAt += indexPackBytes;
		if (order >= 0) bAt += indexPackBytes;
	}
	return merged.subarray(0, filled);
}

function compareIds(a: Buffer, aAt: number, b: Buffer, bAt: number): number {
	return a.compare(b, bAt, bAt + idBytes, aAt, aAt + idBytes);
}

/** Where the packs of a table are in one that has all of them. `format_damaged` when it is not sorted. */
export function numbersIn(merged: Buffer, table: Buffer, indexId: string): Uint32Array {
	const numbers = new Uint32Array(table.length / indexPackBytes);
	let mergedAt = 0;
	for (let number = 0; number < numbers.length; number++) {
		const at = number * indexPackBytes;
		if (number > 0 && compareIds(table, at - indexPackBytes, table, at) >= 0)
			throw damagedIndex(indexId, 'its table of packs is not sorted');
		while (mergedAt < merged.length && compareIds(merged, mergedAt, table, at) < 0) mergedAt += indexPackBytes;
		numbers[number] = mergedAt / indexPackBytes;
	}
	return numbers;
}

const outBytes = indexRecordBytes * 4096;

/** The records of all of them in order, each once, in blocks; a block is used again when the next one is asked for. */
export async function* mergeRecords(inputs: readonly MergeInput[], signal?: AbortSignal): AsyncGenerator<Buffer> {
	const heads = inputs.map(input => new Head(input, signal));
	try {
		for (const head of heads) await head.next();
		let left = heads.filter(head => !head.isDone);
		const out = Buffer.allocUnsafe(outBytes);
		const last = Buffer.alloc(indexRecordBytes);
		let filled = 0;
		let isFirst = true;
		while (left.length > 0) {
			const least = leastOf(left);
			if (isFirst || compareRecords(last, 0, least.block, least.at) !== 0) {
				isFirst = false;
				least.block.copy(last, 0, least.at, least.at + indexRecordBytes);
				filled += last.copy(out, filled);
				if (filled === outBytes) {
					yield out;
					filled = 0;
				}
			}
			if (least.skip()) continue;
			await least.next();
			if (least.isDone) left = left.filter(head => !head.isDone);
		}
		yield out.subarray(0, filled);
	} finally {
		for (const head of heads) await head.close();
	}
}

function leastOf(heads: readonly Head[]): Head {
	let [least] = heads;
	if (least === undefined) throw new Error('no record is left');
	for (const head of heads)
		if (head.prefix < least.prefix || (head.prefix === least.prefix && head !== least && head.isBefore(least)))
			least = head;
	return least;
}

const noBlock = Buffer.alloc(0);

/** The next record of an index, with the number that its pack has in the new table. */
class Head {
	readonly #reader: IndexReader;
	readonly #numbers: Uint32Array;
	readonly #blocks: AsyncGenerator<Buffer>;
	/** By the numbers of its own table, the packs that a record has named. */
	readonly #named: Uint8Array;
	block: Buffer = noBlock;
	at = 0;
	/** First 32 bits of its digest: mostly they say which record is the least. */
	prefix = 0;

	constructor({ reader, numbers }: MergeInput, signal: AbortSignal | undefined) {
		this.#reader = reader;
		this.#numbers = numbers;
		this.#blocks = reader.allRecords(signal);
		this.#named = new Uint8Array(numbers.length);
	}

	get isDone(): boolean {
		return this.block.length === 0;
	}

	isBefore(other: Head): boolean {
		return compareRecords(this.block, this.at, other.block, other.at) < 0;
	}

	/** To the next record of this block; false when there is none. */
	skip(): boolean {
		this.at += indexRecordBytes;
		if (this.at >= this.block.length) return false;
		this.prefix = this.block.readUInt32BE(this.at);
		return true;
	}

	next(): Promise<void> {
		return ofInput(this.#reader, async () => {
			const { value, done } = await this.#blocks.next();
			this.block = done === true ? noBlock : value;
			this.at = 0;
			if (this.isDone) return this.#checkNamed();
			this.#renumber();
			this.prefix = this.block.readUInt32BE(0);
		});
	}

	/** A pack that only a table names would look indexed for ever. */
	#checkNamed(): void {
		const number = this.#named.indexOf(0);
		if (number >= 0) throw damagedIndex(this.#reader.indexId, `no record names pack ${number} of its table`);
	}

	async close(): Promise<void> {
		await this.#blocks.return(undefined);
	}

	#renumber(): void {
		const { block } = this;
		for (let at = 0; at < block.length; at += indexRecordBytes) {
			const ownNumber = block.readUInt32LE(at + digestBytes);
			const number = this.#numbers[ownNumber];
			if (number === undefined)
				throw damagedIndex(this.#reader.indexId, 'a record names a pack that its table does not have');
			block.writeUInt32LE(number, at + digestBytes);
			this.#named[ownNumber] = 1;
			if (at > 0 && compareRecords(block, at - indexRecordBytes, block, at) >= 0)
				throw damagedIndex(this.#reader.indexId, 'its records are not sorted');
		}
	}
}
