/** Less room than such a part of a slab is not worth a read of its own. */
const leastRoomPart = 1 / 8;

/** For what comes while there is no room: so much is read once more then. */
const asidePart = 1 / 32;

/**
 * Bytes as they come, in one of two slabs, so that whoever uses some in the one does not hold up what comes into the other. Nothing
 * is allocated for what comes, but where something longer than a slab is needed in one piece.
 *
 * Who reads into `room` may have given that away until the bytes are there, so it changes in `filled` alone.
 */
export class Slabs {
	readonly #slabBytes: number;
	readonly #leastRoomBytes: number;
	#slab: Buffer;
	#spare: Buffer | undefined;
	readonly #aside: Buffer;
	#at = 0;
	#end = 0;
	#used: Buffer | undefined;
	#room: Buffer;

	constructor(slabBytes = 512 * 1024) {
		this.#slabBytes = slabBytes;
		this.#leastRoomBytes = slabBytes * leastRoomPart;
		this.#aside = Buffer.allocUnsafeSlow(slabBytes * asidePart);
		this.#slab = Buffer.allocUnsafeSlow(slabBytes);
		this.#room = this.#slab;
	}

	/** Where the next bytes go. */
	get room(): Buffer {
		return this.#room;
	}

	/** How many have come that were neither skipped nor used. */
	get length(): number {
		return this.#end - this.#at;
	}

	u8(at: number): number {
		return this.#slab.readUInt8(this.#at + at);
	}

	u16(at: number): number {
		return this.#slab.readUInt16LE(this.#at + at);
	}

	u32(at: number): number {
		return this.#slab.readUInt32LE(this.#at + at);
	}

	/** The next bytes, valid until `filled`. */
	peek(bytes: number): Buffer {
		return this.#slab.subarray(this.#at, this.#at + bytes);
	}

	skip(bytes: number): void {
		this.#at += bytes;
	}

	/** The next bytes, valid until `free`, by which also all that were used before are free. */
	use(bytes: number): Buffer {
		const used = this.peek(bytes);
		this.#at += bytes;
		this.#used = this.#slab;
		return used;
	}

	free(): void {
		this.#used = undefined;
	}

	/** So many bytes have come into `room`. */
	filled(bytes: number): void {
		if (this.#room === this.#aside) {
			this.#move(this.length + bytes);
			this.#aside.copy(this.#slab, this.#end, 0, bytes);
		}
		this.#end += bytes;
	}

	/**
	 * Makes `room`, such that all from here on to `needed` will lie in one piece. `still`: what has come may not be moved, since it is to be
	 * used as it lies. False when there is no room: nothing more may come before that was used.
	 */
	prepare(needed: number, still: boolean): boolean {
		if (this.length === 0 && this.#used !== this.#slab) this.#at = this.#end = 0;
		const hasRoom = this.#slab.length - this.#end >= this.#leastRoomBytes;
		if (!still && !(hasRoom && this.#at + needed <= this.#slab.length)) this.#move(needed);
		const isFull = still ? !hasRoom : this.#slab.length === this.#end;
		this.#room = isFull ? this.#aside : this.#slab.subarray(this.#end);
		return !isFull;
	}

	/** What has come, which is more than `needed` where a peer says too much, goes to where so many bytes have room, and some more. */
	#move(needed: number): void {
		const [from, to] = [this.#at, this.#end];
		const wanted = Math.max(needed + this.#leastRoomBytes, to - from);
		if (this.#used !== this.#slab && this.#slab.length >= wanted) this.#slab.copyWithin(0, from, to);
		else {
			const left = this.#slab;
			const isFree = this.#spare !== undefined && this.#spare !== this.#used && this.#spare.length >= wanted;
			const other = isFree && this.#spare ? this.#spare : Buffer.allocUnsafeSlow(Math.max(this.#slabBytes, wanted));
			left.copy(other, 0, from, to);
			[this.#slab, this.#spare] = [other, left];
		}
		[this.#at, this.#end] = [0, to - from];
	}
}
