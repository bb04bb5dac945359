import type { DiskImage } from '../model/chunk.ts';
import type { ChunkClass } from './chunk-source.ts';
import { DiskReader } from './disk-reader.ts';
import type { VerifiedChunks } from './verified-chunks.ts';

/** A disk that lies in a repository, read as bytes. */
export interface StoredDisk {
	readonly sizeBytes: number;
	/** Fills `into` whole, or throws: damage of what is asked for, and what the store throws. MUST NOT be asked past `sizeBytes`. */
	read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void>;
}

/** Chunks kept, in bytes: who looks at a file system comes back to the same few. There is one of these for each of 64 disks, and a chunk may have 16 MiB. */
const keptBytes = 4 * 1024 * 1024;

/** For looks at parts of a disk; who reads it as a whole takes disk-chunks.ts. Each byte has matched its digest. */
export class StoredDiskReader implements StoredDisk {
	readonly sizeBytes: number;
	readonly #chunks: VerifiedChunks;
	readonly #reader: DiskReader;
	readonly #class: ChunkClass;
	/** By number; the least recently used first. */
	readonly #kept = new Map<number, Buffer>();
	readonly #keptChunks: number;

	constructor(chunks: VerifiedChunks, image: DiskImage, urgency: ChunkClass = 'migration') {
		this.sizeBytes = image.sizeBytes;
		this.#chunks = chunks;
		this.#class = urgency;
		this.#keptChunks = Math.max(1, Math.floor(keptBytes / image.chunkSizeBytes));
		this.#reader = new DiskReader(chunks, image, { class: urgency });
	}

	async read(offsetBytes: number, into: Buffer, signal: AbortSignal): Promise<void> {
		const { chunkSizeBytes } = this.#reader.map;
		for (let done = 0; done < into.length; ) {
			signal.throwIfAborted();
			const at = offsetBytes + done;
			const index = Math.floor(at / chunkSizeBytes);
			const from = at - index * chunkSizeBytes;
			const part = into.subarray(done, done + Math.min(chunkSizeBytes - from, into.length - done));
			const chunk = await this.#chunk(index, signal);
			if (chunk === 'zero') part.fill(0);
			else chunk.copy(part, 0, from, from + part.length);
			done += part.length;
		}
	}

	async #chunk(index: number, signal: AbortSignal): Promise<Buffer | 'zero'> {
		const entry = await this.#reader.lookup(index, { signal });
		if (entry === 'zero') return entry;
		const bytes =
			this.#kept.get(index) ??
			(await this.#chunks.fetchOne(this.#reader.wanted(index, entry), { class: this.#class, signal }));
		this.#kept.delete(index);
		this.#kept.set(index, bytes);
		const [oldest] = this.#kept.keys();
		if (this.#kept.size > this.#keptChunks && oldest !== undefined) this.#kept.delete(oldest);
		return bytes;
	}
}
