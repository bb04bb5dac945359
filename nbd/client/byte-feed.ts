/** What a parser asks for: so many bytes, or an array to be filled (a payload then lands in its place at once). */
export type Need = number | Uint8Array;

/** A parser is a generator: it yields what it needs and is resumed with the bytes (empty when it had an array filled). */
export type Parser<Result> = Generator<Need, Result, Buffer>;

const nothing = Buffer.alloc(0);

/** Feeds a parser from pieces of any size, as a socket delivers them. What the parser throws, `push` throws. */
export class ByteFeed<Result> {
	readonly #parser: Parser<Result>;
	#need: Need;
	#held: Buffer[] = [];
	#heldBytes = 0;
	#filledBytes = 0;
	#result: { value: Result } | undefined;

	constructor(parser: Parser<Result>) {
		this.#parser = parser;
		this.#need = 0;
		this.#resume(parser.next());
	}

	/** Set when the parser has returned. */
	get result(): { value: Result } | undefined {
		return this.#result;
	}

	push(piece: Buffer): void {
		let rest = piece;
		while (this.#result === undefined) {
			const before = rest.length;
			const answer = typeof this.#need === 'number' ? this.#collect(rest, this.#need) : this.#fill(rest, this.#need);
			rest = answer.rest;
			if (answer.bytes) this.#resume(this.#parser.next(answer.bytes));
			else if (rest.length === before) return;
		}
	}

	#resume(step: IteratorResult<Need, Result>): void {
		if (step.done) this.#result = { value: step.value };
		else this.#need = step.value;
		this.#filledBytes = 0;
	}

	#collect(piece: Buffer, needBytes: number): { rest: Buffer; bytes?: Buffer } {
		const missing = needBytes - this.#heldBytes;
		if (piece.length < missing) {
			if (piece.length > 0) this.#held.push(piece);
			this.#heldBytes += piece.length;
			return { rest: nothing };
		}
		const last = piece.subarray(0, missing);
		const bytes = this.#held.length === 0 ? last : Buffer.concat([...this.#held, last]);
		this.#held = [];
		this.#heldBytes = 0;
		return { rest: piece.subarray(missing), bytes };
	}

	#fill(piece: Buffer, target: Uint8Array): { rest: Buffer; bytes?: Buffer } {
		const part = piece.subarray(0, target.length - this.#filledBytes);
		target.set(part, this.#filledBytes);
		this.#filledBytes += part.length;
		const rest = piece.subarray(part.length);
		return this.#filledBytes === target.length ? { rest, bytes: nothing } : { rest };
	}
}
