import { RouseError } from '../../../model/errors.ts';
import { type AnswerHeader, answerHeaderBytes, decodeAnswer, greeting } from './protocol.ts';

/** Shells say something before a program does: that much is passed over. */
const mostBefore = 64 * 1024;

/** Whoever waits for an answer. */
export interface Waiting {
	number: number;
	/** Where a body of this length goes; undefined: into a buffer of its own. */
	into: Buffer | undefined;
	/** Nobody waits any more: the buffer is another's again. */
	hasLeft: boolean;
	answered(header: AnswerHeader, body: Buffer): void;
}

/** One whose body has not come whole. */
interface OpenAnswer {
	header: AnswerHeader;
	waiting: Waiting;
	body: Buffer;
	filled: number;
}

/** Takes apart what comes from an agent, in pieces of any size. `next` gives who waits for the answer that begins. */
export class Answers {
	readonly #next: () => Waiting | undefined;
	#before: string | undefined = '';
	readonly #header = Buffer.alloc(answerHeaderBytes);
	#headerBytes = 0;
	#open: OpenAnswer | undefined;

	constructor(next: () => Waiting | undefined) {
		this.#next = next;
	}

	/** Throws `protocol` for what no agent says. */
	add(piece: Buffer): void {
		let rest = this.#before === undefined ? piece : this.#greeted(piece, this.#before);
		while (rest.length > 0) rest = this.#open === undefined ? this.#addHeader(rest) : this.#addBody(rest, this.#open);
	}

	#greeted(piece: Buffer, before: string): Buffer {
		const text = before + piece.toString('latin1');
		const at = text.indexOf(greeting);
		if (at >= 0) {
			this.#before = undefined;
			return Buffer.from(text.slice(at + greeting.length), 'latin1');
		}
		if (text.length > mostBefore) throw new RouseError('protocol', 'the agent that was sent there does not answer');
		this.#before = text;
		return Buffer.alloc(0);
	}

	#addHeader(piece: Buffer): Buffer {
		const taken = piece.copy(this.#header, this.#headerBytes);
		this.#headerBytes += taken;
		if (this.#headerBytes < answerHeaderBytes) return piece.subarray(taken);
		this.#headerBytes = 0;
		const header = decodeAnswer(this.#header);
		const waiting = this.#next();
		if (waiting?.number !== header.number) throw new RouseError('protocol', 'the agent answers what it was not asked');
		const { into } = waiting;
		const fits = header.status === 'data' && into?.length === header.bodyBytes;
		const body = fits && into !== undefined ? into : Buffer.alloc(header.bodyBytes);
		this.#open = { header, waiting, body, filled: 0 };
		if (header.bodyBytes === 0) this.#finish(this.#open);
		return piece.subarray(taken);
	}

	#addBody(piece: Buffer, open: OpenAnswer): Buffer {
		const { hasLeft, into } = open.waiting;
		if (!hasLeft || open.body !== into) piece.copy(open.body, open.filled);
		const taken = Math.min(piece.length, open.body.length - open.filled);
		open.filled += taken;
		if (open.filled === open.body.length) this.#finish(open);
		return piece.subarray(taken);
	}

	#finish({ header, waiting, body }: OpenAnswer): void {
		this.#open = undefined;
		waiting.answered(header, body);
	}
}
