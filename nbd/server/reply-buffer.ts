/** Room for the replies to what one read from a socket brings: 16 reads of 4 KiB take a quarter of it. */
const slabBytes = 256 * 1024;
/** So much is kept for replies that the client is slow to take. */
const maxSpareSlabs = 3;

/**
 * Collects the replies of a session so that they leave in one write. Replies are built in place in slabs that are used
 * again once they were written; what comes in a buffer of its own is taken over without a copy.
 */
export class ReplyBuffer {
	#slab: Buffer = Buffer.alloc(0);
	/** In the slab: end of what is committed, and end of what is already in `#segments` or was taken. */
	#end = 0;
	#cut = 0;
	#segments: Buffer[] = [];
	#byteLength = 0;
	/** Of what was appended and not taken yet, and of what was taken and may not be written yet. */
	readonly #toFree: (() => void)[] = [];
	#takenToFree: (() => void)[] = [];
	/** Full ones, in the same two states; and those that are free. */
	readonly #fullSlabs: Buffer[] = [];
	#takenSlabs: Buffer[] = [];
	readonly #spareSlabs: Buffer[] = [];

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
			if (this.#slab.length === slabBytes) this.#fullSlabs.push(this.#slab);
			this.#slab = bytes > slabBytes ? Buffer.allocUnsafeSlow(bytes) : this.#freeSlab();
			this.#end = 0;
			this.#cut = 0;
		}
		return this.#end;
	}

	commit(bytes: number): void {
		this.#end += bytes;
		this.#byteLength += bytes;
	}

	/** Takes bytes over as they are; nobody may change them before `free` is called, if ever. */
	append(bytes: Buffer | readonly Buffer[], free?: () => void): void {
		this.#seal();
		if (free) this.#toFree.push(free);
		for (const part of Buffer.isBuffer(bytes) ? [bytes] : bytes) {
			this.#segments.push(part);
			this.#byteLength += part.length;
		}
	}

	/** All replies so far, in order. */
	take(): Buffer[] {
		this.#seal();
		const taken = this.#segments;
		this.#segments = [];
		this.#byteLength = 0;
		for (const free of this.#toFree.splice(0)) this.#takenToFree.push(free);
		for (const slab of this.#fullSlabs.splice(0)) this.#takenSlabs.push(slab);
		return taken;
	}

	/** To be called when what was taken is written: `recycle` may be long in coming while a client is slow. */
	takeFrees(): readonly (() => void)[] {
		return this.#takenToFree.splice(0);
	}

	/** Says that everything that was ever taken is written, so that slabs can be filled from their start again. */
	recycle(): void {
		if (this.#byteLength === 0) {
			this.#end = 0;
			this.#cut = 0;
		}
		if (this.#takenToFree.length > 0) {
			for (const free of this.#takenToFree) free();
			this.#takenToFree = [];
		}
		if (this.#takenSlabs.length === 0) return;
		for (const slab of this.#takenSlabs) if (this.#spareSlabs.length < maxSpareSlabs) this.#spareSlabs.push(slab);
		this.#takenSlabs = [];
	}

	#freeSlab(): Buffer {
		return this.#spareSlabs.pop() ?? Buffer.allocUnsafeSlow(slabBytes);
	}

	#seal(): void {
		if (this.#end === this.#cut) return;
		this.#segments.push(this.#slab.subarray(this.#cut, this.#end));
		this.#cut = this.#end;
	}
}
