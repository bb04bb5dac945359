import { mebibyte } from './constants.ts';

/** The MiB of a page: 32 GiB of a file in 4 KiB of memory, and only where something lies. */
const pageMebibytes = 2 ** 15;

/** Which of a file's MiB belong to something: nothing in a VHDX may overlap ([MS-VHDX] 2.1, 2.2.3.2). */
export class UsedSpace {
	readonly #pages = new Map<number, Uint8Array>();

	/** Takes whole MiB. False when one of them was taken before. */
	take(atBytes: number, lengthBytes: number): boolean {
		const end = Math.ceil((atBytes + lengthBytes) / mebibyte);
		for (let index = Math.floor(atBytes / mebibyte); index < end; ) {
			// Most blocks have whole bytes of bits.
			const count = index % 8 === 0 && index + 8 <= end ? 8 : 1;
			if (!this.#takeBits(index, count === 8 ? 0xff : 1 << (index & 7))) return false;
			index += count;
		}
		return true;
	}

	#takeBits(index: number, bits: number): boolean {
		const page = this.#page(Math.floor(index / pageMebibytes));
		const at = (index % pageMebibytes) >> 3;
		const byte = page[at] ?? 0;
		page[at] = byte | bits;
		return (byte & bits) === 0;
	}

	#page(number: number): Uint8Array {
		const known = this.#pages.get(number);
		if (known) return known;
		const page = new Uint8Array(pageMebibytes / 8);
		this.#pages.set(number, page);
		return page;
	}
}
