import type { NbdExport } from './export.ts';
import { addData, addHole, type Cookie, writeDataHeader } from './replies.ts';
import type { ReplyBuffer } from './reply-buffer.ts';
import { sizes } from '../protocol/constants.ts';

/** Pieces end at multiples of it: whole chunks of a restore point, and small enough to stay in the processor's cache. */
export const pieceBytes = 128 * 1024;

interface LargeRead {
	cookie: Cookie;
	/** What of it is not answered yet. */
	offset: number;
	length: number;
}

/**
 * Reads that are answered in pieces, each a chunk of the structured reply, so that one buffer serves them all and small
 * reads are answered in between. A piece is read before its header is written, and what cannot be read at once goes to
 * `later` as one: an error is told by a chunk of its own, however much was sent before it ("Structured reply chunk message":
 * a reply with an error chunk has failed, and chunks of several replies may be interleaved).
 */
export class LargeReads {
	readonly #export: NbdExport;
	readonly #replies: ReplyBuffer;
	readonly #later: (offset: number, length: number, cookie: Cookie) => void;
	/** In the order of arrival; pieces are those of the first. */
	readonly #reads: LargeRead[] = [];
	#bytes = 0;

	constructor(
		served: NbdExport,
		replies: ReplyBuffer,
		later: (offset: number, length: number, cookie: Cookie) => void,
	) {
		this.#export = served;
		this.#replies = replies;
		this.#later = later;
	}

	get count(): number {
		return this.#reads.length;
	}

	/** Not answered yet. */
	get bytes(): number {
		return this.#bytes;
	}

	add(offset: number, length: number, cookie: Cookie): void {
		this.#reads.push({ cookie, offset, length });
		this.#bytes += length;
	}

	/** Answers one piece of the first that can be read at once. */
	next(): void {
		for (let [read] = this.#reads; read !== undefined && !this.#piece(read); ) [read] = this.#reads;
	}

	/** False when it had to be handed on instead. */
	#piece(read: LargeRead): boolean {
		const { cookie, offset, length: rest } = read;
		const length = Math.min(rest, pieceBytes - (offset % pieceBytes));
		const last = length === rest;
		const lent = this.#export.lend?.(offset, length);
		if (lent) {
			this.#take(read, length);
			addData(this.#replies, cookie, { offset, length, last }, lent);
			return true;
		}
		const at = this.#replies.reserve(sizes.offsetData + length);
		const { slab } = this.#replies;
		const result = this.#export.readNow(slab, at + sizes.offsetData, offset, length);
		if (result === 'later') {
			this.#take(read, rest);
			this.#later(offset, rest, cookie);
			return false;
		}
		this.#take(read, length);
		if (result === 'zeroes') addHole(this.#replies, cookie, { offset, length, last });
		else {
			writeDataHeader(slab, at, cookie, { offset, length, last });
			this.#replies.commit(sizes.offsetData + length);
		}
		return true;
	}

	#take(read: LargeRead, length: number): void {
		read.offset += length;
		read.length -= length;
		this.#bytes -= length;
		if (read.length === 0) this.#reads.shift();
	}
}
