import { RouseError } from '../../model/errors.ts';
import type { ChunkRange } from './layout.ts';

/** One bit per chunk, and how many are set. 2 TiB in chunks of 128 KiB are 2 MiB. */
export class RestoredBitmap {
	readonly chunkCount: number;
	readonly #bytes: Uint8Array;
	#restored = 0;

	constructor(chunkCount: number) {
		this.chunkCount = chunkCount;
		this.#bytes = new Uint8Array(Math.ceil(chunkCount / 8));
	}

	get restoredChunks(): number {
		return this.#restored;
	}

	get complete(): boolean {
		return this.#restored === this.chunkCount;
	}

	has(chunk: number): boolean {
		return ((this.#bytes[chunk >>> 3] ?? 0) & (1 << (chunk & 7))) !== 0;
	}

	/** Setting what is set already changes nothing. */
	set({ first, count }: ChunkRange): void {
		const end = first + count;
		if (first < 0 || end > this.chunkCount)
			throw new RouseError('internal', `chunks ${first} to ${end} of ${this.chunkCount} in a bitmap`);
		for (let chunk = first; chunk < end; ) {
			if ((chunk & 7) === 0 && end - chunk >= 8) {
				this.#setByte(chunk >>> 3);
				chunk += 8;
			} else {
				this.#setBit(chunk);
				chunk += 1;
			}
		}
	}

	/** End (exclusive, at most `limit`) of the run of chunks that are all restored, or all not, as `from` is. */
	endOfRun(from: number, limit = this.chunkCount): number {
		const wanted = this.has(from);
		const whole = wanted ? 0xff : 0x00;
		let chunk = from + 1;
		while (chunk < limit) {
			if ((chunk & 7) === 0 && this.#bytes[chunk >>> 3] === whole) chunk += 8;
			else if (this.has(chunk) === wanted) chunk += 1;
			else return chunk;
		}
		return limit;
	}

	/** First chunk at or after `from` that is not restored; `limit` when there is none before it. */
	nextMissing(from: number, limit = this.chunkCount): number {
		if (from >= limit) return limit;
		return this.has(from) ? this.endOfRun(from, limit) : from;
	}

	#setByte(at: number): void {
		this.#restored += 8 - bitsIn(this.#bytes[at] ?? 0);
		this.#bytes[at] = 0xff;
	}

	#setBit(chunk: number): void {
		if (this.has(chunk)) return;
		this.#bytes[chunk >>> 3] = (this.#bytes[chunk >>> 3] ?? 0) | (1 << (chunk & 7));
		this.#restored += 1;
	}
}

function bitsIn(byte: number): number {
	let bits = 0;
	for (let rest = byte; rest !== 0; rest &= rest - 1) bits += 1;
	return bits;
}
