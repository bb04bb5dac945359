import { exactBytes } from '../../model/format-bytes.ts';
import { untilAborted } from '../../repository/until-aborted.ts';
import { refused } from '../tar/refused.ts';

/** What is taken in one piece. */
const mostTakenBytes = 65_536;

/**
 * Bytes in their order, out of pieces of any size. A piece is looked at until the next one is asked for, so whoever makes them may
 * use its memory again. Whoever stops waiting loses none: the piece that was asked for is the next one.
 */
export class ByteReader {
	readonly #pieces: AsyncIterator<Uint8Array>;
	#next: Promise<IteratorResult<Uint8Array, unknown>> | undefined;
	#piece: Buffer = Buffer.alloc(0);
	#hasEnded = false;
	#closed: { why: unknown } | undefined;
	/** Bytes that were given out or skipped. */
	position = 0;

	constructor(pieces: AsyncIterable<Uint8Array>) {
		this.#pieces = pieces[Symbol.asyncIterator]();
	}

	/** The next bytes, at least one and up to `mostBytes`, until the next call; undefined at the end. */
	async some(mostBytes: number, signal: AbortSignal): Promise<Buffer | undefined> {
		while (this.#piece.length === 0) {
			if (this.#closed !== undefined) throw this.#closed.why;
			if (this.#hasEnded) return undefined;
			this.#next ??= this.#pieces.next();
			const { done, value } = await untilAborted(this.#next, signal);
			this.#next = undefined;
			if (done) this.#hasEnded = true;
			else this.#piece = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
		}
		const some = this.#piece.subarray(0, mostBytes);
		this.#piece = this.#piece.subarray(some.length);
		this.position += some.length;
		return some;
	}

	/** All of the next `lengthBytes`, in pieces. `what` they are, for the error when the end comes before. */
	async *pieces(lengthBytes: number, what: string, signal: AbortSignal): AsyncGenerator<Buffer> {
		for (let left = lengthBytes; left > 0; ) {
			const some = await this.some(left, signal);
			if (some === undefined) throw this.#cut(what);
			left -= some.length;
			yield some;
		}
	}

	async fill(into: Buffer, what: string, signal: AbortSignal): Promise<void> {
		let filled = 0;
		for await (const piece of this.pieces(into.length, what, signal)) {
			piece.copy(into, filled);
			filled += piece.length;
		}
	}

	async take(lengthBytes: number, what: string, signal: AbortSignal): Promise<Buffer> {
		if (lengthBytes > mostTakenBytes) throw refused(`${what} has ${exactBytes(lengthBytes)}`);
		const bytes = Buffer.alloc(lengthBytes);
		await this.fill(bytes, what, signal);
		return bytes;
	}

	async skip(lengthBytes: number, what: string, signal: AbortSignal): Promise<void> {
		for (let left = lengthBytes; left > 0; ) {
			const some = await this.some(left, signal);
			if (some === undefined) throw this.#cut(what);
			left -= some.length;
		}
	}

	/** Has whoever makes the pieces end, when he has made the one that was asked for; who asks for more is told `why`. */
	async close(why: unknown): Promise<void> {
		this.#closed ??= { why };
		this.#piece = Buffer.alloc(0);
		await this.#pieces.return?.();
	}

	#cut(what: string) {
		return refused(`it is cut short: it ends in ${what}, after ${exactBytes(this.position)} of the archive`);
	}
}
