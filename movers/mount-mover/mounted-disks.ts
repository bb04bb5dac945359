import { type DiskImage, wholeSectors } from '../../model/chunk.ts';
import type { ErrorDocument, RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import type { BadChunk } from '../config.ts';
import { ChunkCache } from './chunk-cache.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { Counters } from './counters.ts';
import { DamagedChunks } from './damaged-chunks.ts';
import { PageLookup } from './page-lookup.ts';
import { ReadAhead } from './read-ahead.ts';
import { type LocalDisk, RestorePointDisk } from './restore-point-disk.ts';
import { WaitingReads } from './waiting-reads.ts';

export interface MountedDisk {
	name: string;
	image: DiskImage;
	/** With it the disk is served rounded up to a multiple of 512, as QEMU needs it; without it in its exact size. */
	local?: LocalDisk | undefined;
}

export interface MountOptions {
	disks: readonly MountedDisk[];
	/** Not closed here. */
	source: ChunkSource;
	/** Bound of the decoded chunks kept in memory. */
	cacheBytes: number;
	/** A chunk that was verified; `stored` is valid until the call returns. */
	onChunk?: (disk: RestorePointDisk, index: number, stored: Uint8Array) => void;
	/** A chunk, or a page (`index` is then its first chunk), that matches its digest nowhere. */
	onDamage?: (disk: string, index: number, error: RouseError) => void;
}

/** Fetched ahead of one stream of reads, at most. */
const maxAheadBytes = 8 * 1024 * 1024;

/** The disks of a restore point with all that they share: cache, fetcher, and who waits. */
export class MountedDisks {
	readonly disks: readonly RestorePointDisk[];
	readonly waiting = new WaitingReads();
	readonly counters = new Counters();
	readonly #fetcher: ChunkFetcher;
	readonly #cache: ChunkCache;
	readonly #options: MountOptions;

	constructor(options: MountOptions) {
		this.#options = options;
		this.#cache = new ChunkCache(options.cacheBytes);
		this.#fetcher = new ChunkFetcher({
			source: options.source,
			onChunk: (key, chunk, stored) => this.#arrived(key, chunk, stored),
			onDamage: (key, error) => this.#damaged(key, error),
		});
		this.disks = options.disks.map((disk, number) => this.#disk(disk, number));
	}

	/** Why the source does not answer at present. */
	get trouble(): ErrorDocument | undefined {
		return this.#fetcher.trouble ?? this.disks.map(({ parts }) => parts.pages.trouble).find(one => one !== undefined);
	}

	get badChunks(): BadChunk[] {
		return this.disks.flatMap(({ parts }) => parts.damaged.list());
	}

	/** After a repair: damaged chunks are asked for again, and reads wait again. */
	serve(): void {
		this.waiting.serve();
		for (const { parts } of this.disks) parts.damaged.forget();
	}

	/** Reads that wait are never answered any more: end their connections first. */
	close(): void {
		this.#fetcher.close();
		for (const { parts } of this.disks) parts.pages.close();
	}

	#disk({ name, image, local }: MountedDisk, number: number): RestorePointDisk {
		const reader = new DiskReader(this.#options.source, image);
		const damaged = new DamagedChunks(name);
		const pages = new PageLookup(reader, (firstIndex, error) => {
			damaged.addPage(firstIndex, error);
			this.#options.onDamage?.(name, firstIndex, error);
		});
		const aheadBytes = Math.min(maxAheadBytes, this.#options.cacheBytes / 4);
		return new RestorePointDisk({
			name,
			number,
			sizeBytes: local ? wholeSectors(image.sizeBytes) : image.sizeBytes,
			reader,
			pages,
			damaged,
			readAhead: new ReadAhead(Math.floor(aheadBytes / image.chunkSizeBytes)),
			local,
			cache: this.#cache,
			fetcher: this.#fetcher,
			counters: this.counters,
		});
	}

	#arrived(key: number, chunk: Buffer, stored: Uint8Array): void {
		this.#cache.set(key, chunk);
		this.counters.fetchedChunks += 1;
		this.counters.fetchedBytes += stored.length;
		const { disk, index } = this.#placeOf(key);
		this.#options.onChunk?.(disk, index, stored);
	}

	#damaged(key: number, error: RouseError): void {
		const { disk, index } = this.#placeOf(key);
		disk.parts.damaged.addChunk(index, error);
		this.#options.onDamage?.(disk.name, index, error);
	}

	#placeOf(key: number): { disk: RestorePointDisk; index: number } {
		const disk = this.disks[key % 64];
		if (disk === undefined) throw new Error(`chunk key ${key} of no disk`);
		return { disk, index: Math.floor(key / 64) };
	}
}
