/** Few sizes, so that one that goes is what the next one needs: chunks as they are stored differ in every byte. */
const smallBytes = 32 * 1024;
const steps = { small: 4096, large: 32 * 1024 };
/** Larger ones are not kept. */
const mostBytes = 256 * 1024;
/** Free ones are kept up to this; what is above goes to the garbage collector. */
const keptBytes = 8 * 1024 * 1024;

/**
 * Buffers for chunks in memory, used again: a fresh one for each chunk costs more, in page faults and garbage collections, than
 * what is done with it. Not in shared memory: V8 does not count that, and collects what was dropped when it likes.
 */
export class ChunkBuffers {
	/** By their size. */
	readonly #free = new Map<number, Buffer[]>();
	#freeBytes = 0;

	/** At least so long; what is in it may be anything. */
	take(lengthBytes: number): Buffer {
		const sizeBytes = sizeFor(lengthBytes);
		const buffer = this.#free.get(sizeBytes)?.pop();
		if (buffer === undefined) return Buffer.allocUnsafeSlow(sizeBytes);
		this.#freeBytes -= sizeBytes;
		return buffer;
	}

	/** Nobody reads or writes it any more. One that is not from here is not kept. */
	giveBack(buffer: Buffer): void {
		const { length } = buffer;
		const ours = length === sizeFor(length) && length === buffer.buffer.byteLength;
		if (!ours || length > mostBytes) return;
		const free = this.#free.get(length);
		if (free === undefined) this.#free.set(length, [buffer]);
		else free.push(buffer);
		this.#freeBytes += length;
		if (this.#freeBytes > keptBytes) this.#letGo();
	}

	/** All free ones. */
	letGo(): void {
		this.#free.clear();
		this.#freeBytes = 0;
	}

	/** One of the size of which there is most: those that nobody asks for would be all in the end. */
	#letGo(): void {
		let most: Buffer[] = [];
		for (const free of this.#free.values())
			if (free.length * (free[0]?.length ?? 0) > most.length * (most[0]?.length ?? 0)) most = free;
		this.#freeBytes -= most.pop()?.length ?? 0;
	}
}

function sizeFor(lengthBytes: number): number {
	const step = lengthBytes <= smallBytes ? steps.small : steps.large;
	return Math.max(1, Math.ceil(lengthBytes / step)) * step;
}
