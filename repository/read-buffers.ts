/** Buffers that are free wait here to be used again; more of them are left to the garbage collector. */
const keptBuffers = 8;

/**
 * Buffers for reads of up to `sizeBytes`, used again: a fresh megabyte costs more in page faults than what is read into it.
 * Whoever gives one back has nothing that reads or writes it any more.
 */
export class ReadBuffers {
	readonly #sizeBytes: number;
	readonly #free: Buffer[] = [];

	constructor(sizeBytes: number) {
		this.#sizeBytes = sizeBytes;
	}

	/** A small read gets one of its own size, which is not kept; so does one that is longer than all. */
	take(lengthBytes: number): Buffer {
		if (lengthBytes * smallParts <= this.#sizeBytes || lengthBytes > this.#sizeBytes)
			return Buffer.allocUnsafeSlow(lengthBytes);
		return this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes);
	}

	giveBack(buffer: Buffer): void {
		if (buffer.length === this.#sizeBytes && this.#free.length < keptBuffers) this.#free.push(buffer);
	}

	/** All that are free. */
	letGo(): void {
		this.#free.length = 0;
	}
}

/** Of a buffer: what is smaller is no reason to hold one. */
const smallParts = 8;
