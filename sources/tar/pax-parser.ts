/**
 * Records of an extended header, in pieces of any size: `LENGTH KEYWORD=VALUE\n` each, where the length is that of the whole record
 * (POSIX.1-2017, pax, "pax Extended Header"). Nothing of a record is kept but what somebody takes.
 */
import { refused, shown } from './refused.ts';

/** Takes a value in pieces. */
export interface ValueTaker {
	push(bytes: Buffer): void;
	end(): void;
}

const mostLengthDigits = 12;
const mostKeywordBytes = 1024;
const [blank, equals, newline, zero] = [0x20, 0x3d, 0x0a, 0x30];

export class PaxParser {
	readonly #takerOf: (keyword: string) => ValueTaker | undefined;
	#state: 'length' | 'keyword' | 'value' | 'newline' = 'length';
	/** Of the length that is being read. */
	#digits = 0;
	#recordBytes = 0;
	#keyword = '';
	/** Of this record, behind its length and blank. */
	#left = 0;
	#taker: ValueTaker | undefined;

	/** Undefined: nobody wants that value. */
	constructor(takerOf: (keyword: string) => ValueTaker | undefined) {
		this.#takerOf = takerOf;
	}

	push(bytes: Buffer): void {
		for (let at = 0; at < bytes.length; ) {
			if (this.#state === 'value') at += this.#pushValue(bytes.subarray(at));
			else if (this.#state === 'keyword') at += this.#pushKeyword(bytes.subarray(at));
			else if (this.#state === 'length') this.#pushLength(bytes.readUInt8(at++));
			else this.#endRecord(bytes.readUInt8(at++));
		}
	}

	end(): void {
		if (this.#state !== 'length' || this.#digits > 0) throw refused('its extended header ends in a record');
	}

	#pushLength(byte: number): void {
		if (byte === blank && this.#digits > 0) {
			this.#left = this.#recordBytes - this.#digits - 1;
			// A keyword of one byte, what ends it, and what ends the record.
			if (this.#left < 3) throw refused(`its extended header has a record of ${this.#recordBytes} bytes`);
			this.#digits = 0;
			this.#state = 'keyword';
			return;
		}
		const digit = byte - zero;
		if (digit < 0 || digit > 9 || this.#digits === mostLengthDigits)
			throw refused(`its extended header has ${shown(String.fromCharCode(byte))} in the length of a record`);
		this.#recordBytes = (this.#digits === 0 ? 0 : this.#recordBytes * 10) + digit;
		this.#digits += 1;
	}

	#pushKeyword(bytes: Buffer): number {
		const end = bytes.indexOf(equals);
		const length = end < 0 ? bytes.length : end;
		this.#keyword += bytes.toString('latin1', 0, Math.min(length, mostKeywordBytes));
		this.#left -= length;
		const hasEnded = end >= 0;
		if (this.#keyword.length >= mostKeywordBytes || this.#left < 2 || (hasEnded && this.#keyword === ''))
			throw refused(`its extended header has a record without a keyword: ${shown(this.#keyword)}`);
		if (!hasEnded) return length;
		this.#left -= 1;
		this.#taker = this.#takerOf(this.#keyword);
		this.#keyword = '';
		this.#state = this.#left === 1 ? 'newline' : 'value';
		return length + 1;
	}

	#pushValue(bytes: Buffer): number {
		const value = bytes.subarray(0, this.#left - 1);
		this.#taker?.push(value);
		this.#left -= value.length;
		if (this.#left === 1) this.#state = 'newline';
		return value.length;
	}

	#endRecord(byte: number): void {
		if (byte !== newline) throw refused(`its extended header has a record of other than ${this.#recordBytes} bytes`);
		this.#taker?.end();
		this.#taker = undefined;
		this.#state = 'length';
	}
}
