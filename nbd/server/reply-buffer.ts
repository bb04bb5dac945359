/** Room for the replies to what one read from a socket brings: 16 reads of 4 KiB take a quarter of it. */
const slabBytes = 256 * 1024;

/**
 * Collects the replies of a session so that they leave in one write. Small replies are built in place in a slab that is
 * used again once it was written; large ones are taken over without a copy.
 */
export class ReplyBuffer {
	#slab = Buffer.alloc(0);
	/** In the slab: end of what is committed, and end of what is already in `#segments` or was taken. */
	#end = 0;
	#cut = 0;
	#segments: Buffer[] = [];
	#byteLength = 0;

	/** Bytes that wait to be taken. */
	get byteLength(): number {
		return this.#byteLength;
	}

	/** Where `reserve` makes room. */
	get slab(): Buffer {
		return this.#slab;
	}

	/** Position in `slab` of `bytes` free bytes. They belong to the replies only after `commit`. */
	reserve(bytes: number): number {
		if (this.#end + bytes > this.#slab.length) {
			this.#seal();
			this.#slab = Buffer.allocUnsafeSlow(Math.max(slabBytes, bytes));
			this.#end = 0;
			this.#cut = 0;
		}
		return this.#end;
	}

	commit(bytes: number): void {
		this.#end += bytes;
		this.#byteLength += bytes;
	}

	/** Takes bytes over as they are; nobody may change them any more. */
	append(bytes: Buffer): void {
		this.#seal();
		this.#segments.push(bytes);
		this.#byteLength += bytes.length;
	}

	/** All replies so far, in order. */
	take(): Buffer[] {
		this.#seal();
		const taken = this.#segments;
		this.#segments = [];
		this.#byteLength = 0;
		return taken;
	}

	/** Says that everything that was ever taken is written, so that the slab can be filled from its start again. */
	recycle(): void {
		if (this.#byteLength > 0) return;
		this.#end = 0;
		this.#cut = 0;
	}

	#seal(): void {
		if (this.#end === this.#cut) return;
		this.#segments.push(this.#slab.subarray(this.#cut, this.#end));
		this.#cut = this.#end;
	}
}
