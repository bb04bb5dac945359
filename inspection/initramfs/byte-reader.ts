import { unreadable } from '../volume.ts';

/** Bytes of a stream by their number. Whoever made it closes it, which ends the stream. */
export class ByteReader {
	readonly #pieces: AsyncIterator<Buffer>;
	#rest: Buffer = Buffer.alloc(0);
	#takenBytes = 0;

	constructor(pieces: AsyncIterable<Buffer>) {
		this.#pieces = pieces[Symbol.asyncIterator]();
	}

	get takenBytes(): number {
		return this.#takenBytes;
	}

	/** So many bytes, or fewer at the end; they stay to be taken. */
	async peek(bytes: number): Promise<Buffer> {
		const pieces = [this.#rest];
		let length = this.#rest.length;
		while (length < bytes) {
			const { value, done } = await this.#pieces.next();
			if (done) break;
			pieces.push(value);
			length += value.length;
		}
		if (pieces.length > 1) this.#rest = Buffer.concat(pieces);
		return this.#rest.subarray(0, bytes);
	}

	/** Throws `source_invalid` when the stream ends before. */
	async take(bytes: number): Promise<Buffer> {
		const taken = await this.peek(bytes);
		if (taken.length < bytes) throw unreadable('it ends too early');
		this.#drop(bytes);
		return taken;
	}

	/** Throws `source_invalid` when the stream ends before. */
	async skip(bytes: number): Promise<void> {
		for (let left = bytes; left > 0; ) {
			const { length } = await this.peek(1);
			if (length === 0) throw unreadable('it ends too early');
			const part = Math.min(left, this.#rest.length);
			this.#drop(part);
			left -= part;
		}
	}

	/** Goes to the next byte that is not zero; false at the end. */
	async skipZeros(): Promise<boolean> {
		while ((await this.peek(1)).length > 0) {
			const zeros = this.#rest.findIndex(byte => byte !== 0);
			this.#drop(zeros < 0 ? this.#rest.length : zeros);
			if (zeros >= 0) return true;
		}
		return false;
	}

	/** All that is left, in pieces. */
	async *remaining(): AsyncGenerator<Buffer> {
		while ((await this.peek(1)).length > 0) {
			const piece = this.#rest;
			this.#drop(piece.length);
			yield piece;
		}
	}

	async close(): Promise<void> {
		await this.#pieces.return?.();
	}

	#drop(bytes: number): void {
		this.#rest = this.#rest.subarray(bytes);
		this.#takenBytes += bytes;
	}
}
