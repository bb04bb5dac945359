import type { DiskImage } from '../../model/chunk.ts';
import type { RouseError } from '../../model/errors.ts';
import type { ReadNow } from '../../nbd/server/export.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { Counters } from './counters.ts';
import type { LocalDisk } from './local-disk.ts';
import type { PageWaiter } from './page-lookup.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { CopiedPart, Obtained, RepositoryDisk } from './repository-disk.ts';

export interface RestorePointDiskParts {
	name: string;
	/** As it is served: the exact size, or that rounded up to 512 with zeros at its end. */
	sizeBytes: number;
	/** Absent when nothing of it is on this host. */
	local: LocalDisk | undefined;
	repository: RepositoryDisk;
	readAhead: ReadAhead;
	counters: Counters;
	/** Told of each chunk with data that is read, or that a read waits for. */
	onRead: (index: number) => void;
}

/**
 * Where a chunk's bytes are, as far as can be said at once: in the target, in memory, nowhere because they are zero, not
 * to be had, or (undefined) to be fetched.
 */
export type Whereabouts = 'target' | 'zero' | CachedChunk | RouseError | undefined;

/** A disk of a restore point as it is served: what is restored comes from the target, the rest from the repository. */
export class RestorePointDisk {
	readonly name: string;
	readonly sizeBytes: number;
	readonly image: DiskImage;
	readonly chunkCount: number;
	readonly #local: LocalDisk | undefined;
	readonly #repository: RepositoryDisk;
	readonly #readAhead: ReadAhead;
	readonly #counters: Counters;
	readonly #onRead: (index: number) => void;

	constructor({ name, sizeBytes, local, repository, readAhead, counters, onRead }: RestorePointDiskParts) {
		this.name = name;
		this.sizeBytes = sizeBytes;
		this.image = repository.image;
		this.chunkCount = repository.chunkCount;
		this.#local = local;
		this.#repository = repository;
		this.#readAhead = readAhead;
		this.#counters = counters;
		this.#onRead = onRead;
	}

	isRestored(index: number): boolean {
		return this.#local?.has(index) === true;
	}

	whereIs(index: number): Whereabouts {
		return this.isRestored(index) ? 'target' : this.#repository.atHand(index);
	}

	/** See `RepositoryDisk`. */
	contentOf(index: number): 'data' | 'zero' | undefined {
		return this.#repository.contentOf(index);
	}

	damageOf(index: number): RouseError | undefined {
		return this.#repository.damageOf(index);
	}

	loadPage(index: number, waiter: PageWaiter): () => void {
		return this.#repository.loadPage(index, waiter);
	}

	/** Of a chunk that is nowhere at hand; see `RepositoryDisk`. */
	obtain(index: number, waiter: (obtained: Obtained) => void): () => void {
		return this.#repository.obtain(index, waiter);
	}

	/** See `RepositoryDisk`. */
	obtainBehindReads(index: number, waiter: (obtained: Obtained) => void): void {
		this.#repository.obtainBehindReads(index, waiter);
	}

	isInMemory(index: number): boolean {
		return this.#repository.isInMemory(index);
	}

	/** See `RepositoryDisk`. */
	copy(index: number, chunk: CachedChunk, part: CopiedPart): boolean {
		return this.#repository.copy(index, chunk, part);
	}

	/** See `RepositoryDisk`. */
	parts(index: number, chunk: CachedChunk, from: number, to: number): readonly Buffer[] | undefined {
		return this.#repository.parts(index, chunk, from, to);
	}

	/** See `NbdExport.lend`. Of a single chunk that is in memory, whose frames are decoded if they were not. */
	lend(offset: number, length: number): { bytes: readonly Buffer[]; free: () => void } | undefined {
		const { chunkSizeBytes, sizeBytes } = this.image;
		const index = Math.floor(offset / chunkSizeBytes);
		const begin = index * chunkSizeBytes;
		if (offset + length > Math.min(sizeBytes, begin + chunkSizeBytes)) return undefined;
		const chunk = this.whereIs(index);
		if (!(chunk instanceof CachedChunk)) return undefined;
		const bytes = this.parts(index, chunk, offset - begin, offset - begin + length);
		if (bytes === undefined) return undefined;
		this.#counters.cachedReads += 1;
		this.noteChunks(index, index);
		this.noteRead(index, index);
		return { bytes, free: () => chunk.letGo() };
	}

	/** See `NbdExport.readNow`. Of what is in memory it decodes one frame at most: others wait meanwhile. */
	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		const { chunkSizeBytes, sizeBytes } = this.image;
		const end = Math.min(offset + length, sizeBytes);
		let zeroes = true;
		let undecoded = 0;
		for (let position = offset; position < end; ) {
			const index = Math.floor(position / chunkSizeBytes);
			const where = this.whereIs(index);
			let stop = Math.min(end, (index + 1) * chunkSizeBytes);
			const to = at + position - offset;
			if (where === 'target') {
				stop = this.#endOfRestored(index, end);
				if (!this.#readTargetNow(into, to, position, stop - position)) return 'later';
				this.noteChunks(index, Math.ceil(stop / chunkSizeBytes) - 1);
				zeroes = false;
			} else if (where === 'zero') into.fill(0, to, to + stop - position);
			else if (where instanceof CachedChunk) {
				const from = position - index * chunkSizeBytes;
				const part = { into, at: to, from, to: from + stop - position };
				undecoded += where.undecoded(part.from, part.to);
				if (undecoded > 1 || !this.copy(index, where, part)) return 'later';
				this.#counters.cachedReads += 1;
				this.noteChunks(index, index);
				this.noteRead(index, index);
				zeroes = false;
			} else return 'later';
			position = stop;
		}
		// The zero tail of a disk whose exact size is not a multiple of 512.
		if (end < offset + length) into.fill(0, at + Math.max(0, end - offset), at + length);
		return zeroes ? 'zeroes' : 'data';
	}

	/** Reads of chunks that are restored, in the thread pool; `done` gets `io_failed` or nothing. */
	readTarget(
		into: Buffer,
		at: number,
		range: { offset: number; length: number },
		done: (error?: RouseError) => void,
	): void {
		this.#counters.localReads += 1;
		this.#local?.readLater(into, at, range, done);
	}

	/** Tells of a read of these chunks. */
	noteChunks(firstIndex: number, lastIndex: number): void {
		for (let index = firstIndex; index <= lastIndex; index += 1) this.#onRead(index);
	}

	/** Notes a read of these chunks, so that what follows them is fetched ahead. */
	noteRead(firstIndex: number, lastIndex: number): void {
		const span = this.#readAhead.note(firstIndex, lastIndex);
		if (span !== undefined) this.fetchAhead(span.from, span.to);
	}

	/** Begins to fetch what of these chunks is not at hand. Does not load pages. */
	fetchAhead(from: number, to: number): void {
		for (let index = from; index < Math.min(to, this.chunkCount); index += 1)
			if (!this.isRestored(index)) this.#repository.obtainAhead(index);
	}

	/** One system call for neighbours that are all restored. */
	#endOfRestored(index: number, end: number): number {
		const { chunkSizeBytes } = this.image;
		const next = this.#local?.endOfRestored(index, Math.ceil(end / chunkSizeBytes)) ?? index + 1;
		return Math.min(end, next * chunkSizeBytes);
	}

	#readTargetNow(into: Buffer, to: number, position: number, length: number): boolean {
		const read = this.#local?.readNow(into, to, position, length) === true;
		if (read) this.#counters.localReads += 1;
		return read;
	}
}
