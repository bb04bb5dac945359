import { type ByteSource, bytesInside } from './byte-source.ts';

const pageBytes = 64 * 1024;
/** 1 MiB of memory: neighbouring reads find their entries, and a table of any length fits. */
const mostPages = 16;

/** Tables of a file that are read here and there, with the last used pages kept. */
export class PagedBytes {
	readonly #source: ByteSource;
	readonly #pages = new Map<number, Uint8Array>();

	constructor(source: ByteSource) {
		this.#source = source;
	}

	/** Bytes from there on: at most those asked for, and at least one. */
	async some(what: string, atBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
		const number = Math.floor(atBytes / pageBytes);
		const page = this.#pages.get(number) ?? (await this.#read(what, number, signal));
		// The last used is the last in the map's order.
		this.#pages.delete(number);
		this.#pages.set(number, page);
		for (const oldest of this.#pages.keys()) {
			if (this.#pages.size <= mostPages) break;
			this.#pages.delete(oldest);
		}
		const at = atBytes - number * pageBytes;
		return page.subarray(at, at + lengthBytes);
	}

	async #read(what: string, number: number, signal?: AbortSignal): Promise<Uint8Array> {
		const atBytes = number * pageBytes;
		return bytesInside(this.#source, what, atBytes, Math.min(pageBytes, this.#source.sizeBytes - atBytes), signal);
	}
}
