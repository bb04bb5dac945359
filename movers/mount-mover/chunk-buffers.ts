/** Buffers of nearly the same size are one size: chunks as they are stored differ in every byte. */
const stepBytes = 4096;
/** Larger ones are not kept. */
const mostBytes = 256 * 1024;
/** Free ones are kept up to this; what is above goes to the garbage collector. */
const keptBytes = 8 * 1024 * 1024;

/**
 * Buffers for chunks in memory, used again: a fresh one for each chunk costs more, in page faults and garbage collections, than
 * what is done with it. Their memory is shared, so that threads can fill them.
 */
export class ChunkBuffers {
	/** By their size in steps. */
	readonly #free = new Map<number, Buffer[]>();
	#freeBytes = 0;

	/** At least so long; what is in it may be anything. */
	take(lengthBytes: number): Buffer {
		const steps = Math.max(1, Math.ceil(lengthBytes / stepBytes));
		for (let free = steps; free <= steps * 1.25; free++) {
			const buffer = this.#free.get(free)?.pop();
			if (buffer === undefined) continue;
			this.#freeBytes -= buffer.length;
			return buffer;
		}
		return Buffer.from(new SharedArrayBuffer(steps * stepBytes));
	}

	/** Nobody reads or writes it any more. One that is not from here is not kept. */
	giveBack(buffer: Buffer): void {
		const { length } = buffer;
		const ours = buffer.buffer instanceof SharedArrayBuffer;
		if (!ours || length > mostBytes) return;
		const free = this.#free.get(length / stepBytes);
		if (free === undefined) this.#free.set(length / stepBytes, [buffer]);
		else free.push(buffer);
		this.#freeBytes += length;
		if (this.#freeBytes > keptBytes) this.#letGo();
	}

	/** One of the size of which there is most: those that nobody asks for would be all in the end. */
	#letGo(): void {
		let most: Buffer[] = [];
		for (const free of this.#free.values())
			if (free.length * (free[0]?.length ?? 0) > most.length * (most[0]?.length ?? 0)) most = free;
		this.#freeBytes -= most.pop()?.length ?? 0;
	}
}
