import { refused, shown } from './refused.ts';

/** As Number.MAX_SAFE_INTEGER has them. */
const mostDigits = 16;

/** For a single number. */
export const noSeparator = '';

/** Decimal numbers with a character between them or behind each, in pieces of any size. */
export class DecimalList {
	readonly #separator: number;
	readonly #what: string;
	readonly #onNumber: (value: number) => void;
	#value = 0;
	#digits = 0;

	constructor(separator: string, what: string, onNumber: (value: number) => void) {
		this.#separator = separator.charCodeAt(0);
		this.#what = what;
		this.#onNumber = onNumber;
	}

	/** Takes bytes up to where `isEnough`, which is asked after each number; tells how many. */
	push(bytes: Buffer, isEnough: () => boolean = () => false): number {
		for (let at = 0; at < bytes.length; at++) {
			const byte = bytes.readUInt8(at);
			if (byte === this.#separator) {
				this.#give();
				if (isEnough()) return at + 1;
			} else this.#take(byte);
		}
		return bytes.length;
	}

	/** Where nothing separates the last one from what follows. */
	end(): void {
		this.#give();
	}

	#take(byte: number): void {
		if (byte < 0x30 || byte > 0x39)
			throw refused(`${this.#what} has ${shown(String.fromCharCode(byte))} where a digit belongs`);
		this.#digits += 1;
		this.#value = this.#value * 10 + byte - 0x30;
		if (this.#digits > mostDigits || !Number.isSafeInteger(this.#value))
			throw refused(`${this.#what} has a number that is larger than any disk`);
	}

	#give(): void {
		if (this.#digits === 0) throw refused(`${this.#what} lacks a number`);
		const value = this.#value;
		this.#value = 0;
		this.#digits = 0;
		this.#onNumber(value);
	}
}
