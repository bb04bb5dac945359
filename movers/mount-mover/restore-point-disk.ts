import type { DiskImage } from '../../model/chunk.ts';
import type { RouseError } from '../../model/errors.ts';
import type { ReadNow } from '../../nbd/server/export.ts';
import type { DiskReader } from '../../repository/disk-reader.ts';
import type { RestoredMapReader } from '../restored-map/reader.ts';
import type { ChunkCache } from './chunk-cache.ts';
import type { ChunkFetcher } from './chunk-fetcher.ts';
import type { Counters } from './counters.ts';
import type { DamagedChunks } from './damaged-chunks.ts';
import type { PageLookup } from './page-lookup.ts';
import type { ReadAhead } from './read-ahead.ts';
import type { TargetFile } from './target-file.ts';

/** The disk's files on this host. */
export interface LocalDisk {
	target: TargetFile;
	restored: RestoredMapReader;
}

export interface DiskParts {
	name: string;
	/** Position among the disks, under 64. */
	number: number;
	/** As it is served: the exact size, or that rounded up to 512 with zeros at its end. */
	sizeBytes: number;
	reader: DiskReader;
	pages: PageLookup;
	damaged: DamagedChunks;
	readAhead: ReadAhead;
	local: LocalDisk | undefined;
	cache: ChunkCache;
	fetcher: ChunkFetcher;
	counters: Counters;
}

/**
 * Where a chunk's bytes are, as far as can be said at once: in the target, in memory, nowhere because they are zero, not
 * to be had, or (undefined) to be fetched.
 */
export type Whereabouts = 'target' | 'zero' | Buffer | RouseError | undefined;

/** What came of a chunk that was asked for: its bytes, or damage, or undefined for "look again where it is". */
export type Obtained = Buffer | RouseError | undefined;

/** A disk of a restore point: reads at once what is local, in memory or zero, and knows how to get the rest. */
export class RestorePointDisk {
	readonly parts: DiskParts;
	readonly image: DiskImage;

	constructor(parts: DiskParts) {
		this.parts = parts;
		this.image = parts.reader.image;
	}

	get name(): string {
		return this.parts.name;
	}

	isRestored(index: number): boolean {
		return this.parts.local?.restored.has(index) === true;
	}

	whereIs(index: number): Whereabouts {
		if (this.isRestored(index)) return 'target';
		const cached = this.parts.cache.get(this.keyOf(index));
		if (cached !== undefined) return cached;
		return this.parts.pages.entry(index) === 'zero' ? 'zero' : this.parts.damaged.get(index);
	}

	/** See `NbdExport.readNow`. */
	readNow(into: Buffer, at: number, offset: number, length: number): ReadNow {
		const { chunkSizeBytes, sizeBytes } = this.image;
		const end = Math.min(offset + length, sizeBytes);
		let zeroes = true;
		for (let position = offset; position < end; ) {
			const index = Math.floor(position / chunkSizeBytes);
			const where = this.whereIs(index);
			let stop = Math.min(end, (index + 1) * chunkSizeBytes);
			const to = at + position - offset;
			if (where === 'target') {
				stop = this.#endOfRestored(index, end);
				if (!this.#readTarget(into, to, position, stop - position)) return 'later';
				zeroes = false;
			} else if (where === 'zero') into.fill(0, to, to + stop - position);
			else if (Buffer.isBuffer(where)) {
				this.#copy(where, index, { into, to, position, stop });
				zeroes = false;
			} else return 'later';
			position = stop;
		}
		// The zero tail of a disk whose exact size is not a multiple of 512.
		if (end < offset + length) into.fill(0, at + Math.max(0, end - offset), at + length);
		return zeroes ? 'zeroes' : 'data';
	}

	/**
	 * Begins to get a chunk that is nowhere at hand and calls `waiter` once, later, unless the returned function is called
	 * before.
	 */
	obtain(index: number, waiter: (obtained: Obtained) => void): () => void {
		const { pages, fetcher, reader } = this.parts;
		const entry = pages.entry(index);
		if (entry === undefined || entry === 'zero') return pages.load(index, waiter);
		return fetcher.want({ key: this.keyOf(index), ref: entry, rawBytes: reader.rawBytesOf(index) }, waiter);
	}

	/** Notes a read of these chunks, so that what follows them is fetched ahead. */
	noteRead(firstIndex: number, lastIndex: number): void {
		const span = this.parts.readAhead.note(firstIndex, lastIndex);
		if (span !== undefined) this.fetchAhead(span.from, span.to);
	}

	/** Begins to fetch what of these chunks is not at hand. Does not load pages. */
	fetchAhead(from: number, to: number): void {
		const { pages, fetcher, cache, reader } = this.parts;
		for (let index = from; index < Math.min(to, reader.chunkCount); index += 1) {
			const key = this.keyOf(index);
			if (this.isRestored(index) || cache.has(key) || this.parts.damaged.get(index)) continue;
			const entry = pages.entry(index);
			if (entry !== undefined && entry !== 'zero')
				fetcher.wantAhead({ key, ref: entry, rawBytes: reader.rawBytesOf(index) });
		}
	}

	/** Chunks of all disks in one cache: 2 TiB in chunks of 128 KiB still give keys of 30 bits, the quick ones. */
	keyOf(index: number): number {
		return index * 64 + this.parts.number;
	}

	#copy(
		chunk: Buffer,
		index: number,
		{ into, to, position, stop }: { into: Buffer; to: number; position: number; stop: number },
	): void {
		const from = position - index * this.image.chunkSizeBytes;
		chunk.copy(into, to, from, from + stop - position);
		this.parts.counters.cachedReads += 1;
		this.noteRead(index, index);
	}

	/** One system call for neighbours that are all restored. */
	#endOfRestored(index: number, end: number): number {
		const { chunkSizeBytes } = this.image;
		let next = index + 1;
		while (next * chunkSizeBytes < end && this.isRestored(next)) next += 1;
		return Math.min(end, next * chunkSizeBytes);
	}

	#readTarget(into: Buffer, to: number, position: number, length: number): boolean {
		const read = this.parts.local?.target.readNow(into, to, position, length) === true;
		if (read) this.parts.counters.localReads += 1;
		return read;
	}
}
