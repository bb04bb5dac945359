import { RouseError } from '../../model/errors.ts';
import { decodeFrameInto, type OpenedChunk } from '../../repository/format/chunk.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';

/**
 * A chunk in memory: as it is stored, and those of its frames that were read; when all are there, they alone. A frame is
 * compared with its digest when it is read first. Whoever uses it later than in the call that handed it out keeps it
 * meanwhile: its buffers are others' when it has gone out of the cache and nobody keeps it.
 */
export class CachedChunk {
	readonly #buffers: ChunkBuffers;
	readonly #frameBytes: number;
	readonly #rawBytes: number;
	#stored: { opened: OpenedChunk; buffer: Buffer } | undefined;
	readonly #frames: (Buffer | undefined)[];
	#missing: number;
	#length: number;
	#keepers = 0;
	#gone = false;

	private constructor(buffers: ChunkBuffers, rawBytes: number, frameBytes: number) {
		this.#buffers = buffers;
		this.#rawBytes = rawBytes;
		this.#frameBytes = frameBytes;
		this.#missing = Math.ceil(rawBytes / frameBytes);
		this.#frames = Array.from({ length: this.#missing }, () => undefined);
		this.#length = 0;
	}

	/** `opened.stored` lies at the beginning of `buffer`, which is the chunk's from now on. */
	static opened(buffers: ChunkBuffers, opened: OpenedChunk, buffer: Buffer): CachedChunk {
		const chunk = new CachedChunk(buffers, opened.rawBytes, opened.frameBytes);
		chunk.#stored = { opened, buffer };
		chunk.#length = buffer.length;
		return chunk;
	}

	/** All its bytes, which were compared with its digest, at the beginning of `buffer`, which is the chunk's from now on. */
	static whole(buffers: ChunkBuffers, buffer: Buffer, rawBytes: number = buffer.length): CachedChunk {
		const chunk = new CachedChunk(buffers, rawBytes, rawBytes);
		chunk.#add(0, buffer);
		return chunk;
	}

	/** Of memory. Grows as frames are read. */
	get length(): number {
		return this.#length;
	}

	get rawBytes(): number {
		return this.#rawBytes;
	}

	/** As it is stored, while it is kept like that. */
	get stored(): Buffer | undefined {
		return this.#stored?.opened.stored;
	}

	/** How many frames must be decoded for these bytes. */
	undecoded(from: number, to: number): number {
		if (this.#missing === 0) return 0;
		let count = 0;
		for (let number = Math.floor(from / this.#frameBytes); number * this.#frameBytes < to; number++)
			if (this.#frames[number] === undefined) count += 1;
		return count;
	}

	/** Copies its bytes `from` to `to`. `chunk_bad` when a frame is not what the table says; then what was copied is nothing. */
	copy(into: Buffer, at: number, from: number, to: number): void {
		if (this.#gone && this.#keepers === 0) throw new RouseError('internal', 'a chunk that nobody kept is read');
		const size = this.#frameBytes;
		for (let number = Math.floor(from / size); number * size < to; number++) {
			const frame = this.#frames[number] ?? this.#decode(number);
			const begin = number * size;
			const first = Math.max(from, begin);
			frame.copy(into, at + first - from, first - begin, Math.min(to - begin, size));
		}
	}

	/** Where its bytes `from` to `to` lie, in their order, as long as it is kept. `chunk_bad` as `copy`. */
	parts(from: number, to: number): Buffer[] {
		const size = this.#frameBytes;
		const parts: Buffer[] = [];
		for (let number = Math.floor(from / size); number * size < to; number++) {
			const frame = this.#frames[number] ?? this.#decode(number);
			const begin = number * size;
			parts.push(frame.subarray(Math.max(from - begin, 0), Math.min(to - begin, size)));
		}
		return parts;
	}

	keep(): void {
		this.#keepers += 1;
	}

	letGo(): void {
		this.#keepers -= 1;
		if (this.#gone && this.#keepers === 0) this.#free();
	}

	/** The cache holds it no more. */
	gone(): void {
		this.#gone = true;
		if (this.#keepers === 0) this.#free();
	}

	#decode(number: number): Buffer {
		const stored = this.#stored;
		if (stored === undefined) throw new RouseError('internal', `no frame ${number}`);
		const bytes = Math.min(this.#frameBytes, this.#rawBytes - number * this.#frameBytes);
		const buffer = this.#buffers.take(bytes);
		try {
			decodeFrameInto(stored.opened, number, buffer.subarray(0, bytes));
		} catch (error) {
			this.#buffers.giveBack(buffer);
			throw error;
		}
		this.#add(number, buffer);
		return buffer;
	}

	#add(number: number, frame: Buffer): void {
		this.#frames[number] = frame;
		this.#length += frame.length;
		this.#missing -= 1;
		if (this.#missing > 0 || this.#stored === undefined) return;
		this.#length -= this.#stored.buffer.length;
		this.#buffers.giveBack(this.#stored.buffer);
		this.#stored = undefined;
	}

	#free(): void {
		if (this.#stored) this.#buffers.giveBack(this.#stored.buffer);
		for (const frame of this.#frames) if (frame) this.#buffers.giveBack(frame);
		this.#stored = undefined;
		this.#frames.fill(undefined);
	}
}
