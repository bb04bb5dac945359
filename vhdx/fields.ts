/** Fields of a structure, written by offset: little-endian throughout, [MS-VHDX] 2. */
import { guidBytes } from '../model/guid.ts';

export class Fields {
	readonly bytes: Uint8Array;
	readonly #view: DataView;

	constructor(lengthBytes: number) {
		this.bytes = new Uint8Array(lengthBytes);
		this.#view = new DataView(this.bytes.buffer);
	}

	text(at: number, latin1: string): this {
		this.bytes.set(Buffer.from(latin1, 'latin1'), at);
		return this;
	}

	utf16(at: number, text: string): this {
		this.bytes.set(Buffer.from(text, 'utf16le'), at);
		return this;
	}

	guid(at: number, text: string): this {
		this.bytes.set(guidBytes(text), at);
		return this;
	}

	u16(at: number, value: number): this {
		this.#view.setUint16(at, value, true);
		return this;
	}

	u32(at: number, value: number): this {
		this.#view.setUint32(at, value, true);
		return this;
	}

	/** Up to 2^53. */
	u64(at: number, value: number): this {
		this.#view.setBigUint64(at, BigInt(value), true);
		return this;
	}
}
