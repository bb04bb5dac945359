import { maxStringBytes } from '../protocol/constants.ts';

/** Data that does not have its option's form: answered with NBD_REP_ERR_INVALID. */
export class MalformedOption extends Error {
	override readonly name = 'MalformedOption';
}

/** Reads an option's data from front to back and refuses to read past its end. */
export class OptionReader {
	readonly #data: Buffer;
	#at = 0;

	constructor(data: Buffer) {
		this.#data = data;
	}

	uint16(): number {
		return this.#data.readUInt16BE(this.#advance(2));
	}

	uint32(): number {
		return this.#data.readUInt32BE(this.#advance(4));
	}

	/** A string with its length in 32 bits before it. */
	string(): string {
		const length = this.uint32();
		if (length > maxStringBytes) throw new MalformedOption(`a string of ${length} bytes, at most ${maxStringBytes}`);
		const at = this.#advance(length);
		return this.#data.toString('utf8', at, at + length);
	}

	end(): void {
		const left = this.#data.length - this.#at;
		if (left > 0) throw new MalformedOption(`${left} bytes too many`);
	}

	#advance(bytes: number): number {
		const at = this.#at;
		if (this.#data.length - at < bytes)
			throw new MalformedOption(`${bytes} bytes expected at ${at}, ${this.#data.length - at} there`);
		this.#at += bytes;
		return at;
	}
}
