/** Buffers of nearly the same size are one size: chunks as they are stored differ in every byte. */
const stepBytes = 4096;
/** Larger ones are not kept. */
const mostBytes = 256 * 1024;
/** Free ones are kept up to this; what is above goes to the garbage collector. */
const keptBytes = 4 * 1024 * 1024;

/**
 * Buffers for chunks in memory, used again: a fresh one for each chunk costs more, in page faults and garbage collections, than
 * what is done with it. Their memory is shared, so that threads can fill them.
 */
export class ChunkBuffers {
	readonly #free = new Map<number, Buffer[]>();
	#freeBytes = 0;

	/** At least so long; what is in it may be anything. */
	take(lengthBytes: number): Buffer {
		const sizeBytes = Math.max(1, Math.ceil(lengthBytes / stepBytes)) * stepBytes;
		const free = this.#free.get(sizeBytes)?.pop();
		if (free === undefined) return Buffer.from(new SharedArrayBuffer(sizeBytes));
		this.#freeBytes -= sizeBytes;
		return free;
	}

	/** Nobody reads or writes it any more. One that is not from here is not kept. */
	giveBack(buffer: Buffer): void {
		const { length } = buffer;
		const ours = buffer.buffer instanceof SharedArrayBuffer;
		if (!ours || length > mostBytes || this.#freeBytes + length > keptBytes) return;
		const free = this.#free.get(length);
		if (free === undefined) this.#free.set(length, [buffer]);
		else free.push(buffer);
		this.#freeBytes += length;
	}
}
