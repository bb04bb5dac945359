import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import { type ImportResult, importMachine } from '../../repository/import/import-machine.ts';
import type { ImportOptions } from '../../repository/import/import-request.ts';
import type { ImportThreads } from '../../repository/import/segment-threads.ts';
import { openStore, initStore, type Repository } from '../../repository/repository.ts';
import type { ChunkClass, ChunkSource, PlacedRef, StoredChunk } from '../../repository/chunk-source.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import type { Store } from '../../repository/store/contract.ts';
import { sampleConfig, sampleDisks } from './sample-config.ts';

/** A repository that is gone with the test. */
export async function memoryRepository(chunkSizeBytes = 4096, store: Store = new MemoryStore()): Promise<Repository> {
	await initStore(store, { chunkSizeBytes });
	return openStore(store);
}

/** Bytes that do not shrink; the same for the same seed (xorshift32). */
export function noise(lengthBytes: number, seed: number): Buffer {
	const bytes = Buffer.alloc(lengthBytes);
	let state = (seed * 2654435761) >>> 0 || 1;
	for (let at = 0; at < lengthBytes; at++) {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		bytes[at] = state;
	}
	return bytes;
}

export interface Piece {
	offsetBytes: number;
	bytes: Buffer;
}

/** A disk of any size that is zero but for some pieces, in ascending order; zero parts are told as such. */
export class SparseSource implements DiskSource {
	readonly sizeBytes: number;
	readonly #pieces: readonly Piece[];
	/** Where reads began, in their order. */
	readonly reads: { offsetBytes: number; lengthBytes: number }[] = [];

	constructor(sizeBytes: number, pieces: readonly Piece[]) {
		this.sizeBytes = sizeBytes;
		this.#pieces = pieces;
	}

	async *extents(): AsyncGenerator<SourceExtent> {
		let at = 0;
		for (const { offsetBytes, bytes } of this.#pieces) {
			if (offsetBytes > at) yield { offsetBytes: at, lengthBytes: offsetBytes - at, kind: 'zero' };
			yield { offsetBytes, lengthBytes: bytes.length, kind: 'data' };
			at = offsetBytes + bytes.length;
		}
		if (at < this.sizeBytes) yield { offsetBytes: at, lengthBytes: this.sizeBytes - at, kind: 'zero' };
	}

	async read(offsetBytes: number, into: Buffer): Promise<void> {
		this.reads.push({ offsetBytes, lengthBytes: into.length });
		into.fill(0);
		for (const piece of this.#pieces) {
			const shift = piece.offsetBytes - offsetBytes;
			if (shift < into.length && shift + piece.bytes.length > 0)
				piece.bytes.copy(into, Math.max(0, shift), Math.max(0, -shift));
		}
	}

	async close(): Promise<void> {}
}

/** A disk whose bytes are all given, and none known to be zero. */
export function wholeSource(bytes: Buffer): SparseSource {
	return new SparseSource(bytes.length, [{ offsetBytes: 0, bytes }]);
}

/** Threads from the first byte on, which work on few segments. */
export const busyThreads: ImportThreads = { inlineBytes: 0, most: 2, slabs: 3 };

export function importDisks(
	repository: Repository,
	sources: readonly DiskSource[],
	{
		machine = 'web01',
		time = '2026-11-20T03:00:00.000Z',
		packBytes = 64 * 1024,
		threads = {},
		facts = {},
	}: {
		machine?: string;
		time?: string;
		packBytes?: number;
		threads?: ImportThreads;
		facts?: Readonly<Record<string, unknown>>;
	} = {},
	options: ImportOptions = {},
): Promise<ImportResult> {
	const config = { ...sampleConfig, disks: sampleDisks(sources.length) };
	return importMachine({ repository, machine, time, sources, config, facts, packBytes, threads }, options);
}

/** Counts what is asked of a source of chunks. */
export class CountingSource implements ChunkSource {
	readonly #source: ChunkSource;
	calls = 0;
	storedBytes = 0;
	readonly refs: ChunkRef[] = [];
	/** As they were asked for. */
	readonly placed: PlacedRef[] = [];

	constructor(source: ChunkSource) {
		this.#source = source;
	}

	async *fetch(
		refs: readonly PlacedRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk> {
		this.calls++;
		this.placed.push(...refs);
		for await (const chunk of this.#source.fetch(refs, options)) {
			this.storedBytes += chunk.stored.length;
			this.refs.push(chunk.ref);
			yield chunk;
		}
	}

	async close(): Promise<void> {
		await this.#source.close();
	}
}

/** A store in which objects can be damaged and taken away, and whose reads are counted. */
export class DamagingStore extends MemoryStore {
	readonly #bytes = new Map<string, Buffer>();
	readCalls = 0;

	override async putExclusive(key: string, data: Uint8Array, signal?: AbortSignal): Promise<boolean> {
		const put = await super.putExclusive(key, data, signal);
		if (put) this.#bytes.set(key, Buffer.from(data));
		return put;
	}

	override async read(
		key: string,
		offsetBytes: number,
		into: Uint8Array,
		signal?: AbortSignal,
	): Promise<number | undefined> {
		this.readCalls++;
		return super.read(key, offsetBytes, into, signal);
	}

	/** What was put. */
	bytesOf(key: string): Buffer {
		const bytes = this.#bytes.get(key);
		if (bytes === undefined) throw new Error(`nothing was put at ${key}`);
		return Buffer.from(bytes);
	}

	/** Puts other bytes in an object's place, without a trace. */
	async replace(key: string, bytes: Uint8Array): Promise<void> {
		await super.delete(key);
		await super.putExclusive(key, bytes);
	}

	async flipByte(key: string, offsetBytes: number): Promise<void> {
		const bytes = this.bytesOf(key);
		bytes.writeUInt8(bytes.readUInt8(offsetBytes) ^ 0x10, offsetBytes);
		await this.replace(key, bytes);
	}

	/** Puts back what was put at first. */
	async repair(key: string): Promise<void> {
		await this.replace(key, this.bytesOf(key));
	}
}

/** A damaging store, one of whose objects lies on a bad sector. */
export class LosingStore extends DamagingStore {
	lost: string | undefined;

	override async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal) {
		if (key === this.lost) throw new RouseError('io_failed', `cannot read ${key}: EIO`);
		return super.read(key, offsetBytes, into, signal);
	}
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const item of items) all.push(item);
	return all;
}
