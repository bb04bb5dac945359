import { indexRecordBytes } from '../format/index-object.ts';

/** Of the digest: the bytes before it choose bucket and order, those from 8 on the bits of the filter. */
const printAt = 4;

export const printBytes = 2;

/**
 * Two bytes of the digest of each record of an index: of the chunks that its filter takes for known (one in fifty, of all that
 * it does not have) these leave hardly any.
 */
export class RecordPrints {
	readonly #prints: Uint16Array;

	private constructor(prints: Uint16Array) {
		this.#prints = prints;
	}

	/** `blocks`: whole records, all of them in their order. */
	static async of(records: number, blocks: AsyncIterable<Buffer>): Promise<RecordPrints> {
		const prints = new Uint16Array(records);
		let number = 0;
		for await (const block of blocks)
			for (let at = printAt; at < block.length; at += indexRecordBytes) prints[number++] = print(block, at);
		return new RecordPrints(prints);
	}

	/** False: none of the records from `begin` to before `end` has the digest. */
	mayHave(digest: Buffer, begin: number, end: number): boolean {
		const wanted = print(digest, printAt);
		for (let number = begin; number < end; number++) if (this.#prints[number] === wanted) return true;
		return false;
	}
}

function print(bytes: Buffer, at: number): number {
	return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}
