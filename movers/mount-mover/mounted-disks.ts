import type { DiskImage } from '../../model/chunk.ts';
import { wholeSectors } from '../../model/chunk-bounds.ts';
import type { RouseError } from '../../model/errors.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import type { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import type { BadChunk } from '../config.ts';
import { type FirstReads, placesOf } from '../first-reads.ts';
import type { CachedChunk } from './cached-chunk.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import { ChunkCache } from './chunk-cache.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { placeOfKey } from './chunk-key.ts';
import { ChunksNow } from './chunks-now.ts';
import { Counters } from './counters.ts';
import { DecodeThreads } from './decode-threads.ts';
import { largeBuffers } from './disk-read.ts';
import { FirstFetch, type FirstFetchState } from './first-fetch.ts';
import { FirstReadsRecord } from './first-reads-record.ts';
import type { LocalDisk } from './local-disk.ts';
import type { OpenSource } from './open-chunks.ts';
import { ReadAhead } from './read-ahead.ts';
import { RepositoryDisk } from './repository-disk.ts';
import { RestorePointDisk } from './restore-point-disk.ts';
import { WaitingReads } from './waiting-reads.ts';

export interface MountedDisk {
	name: string;
	image: DiskImage;
	/** With it the disk is served rounded up to a multiple of 512, as QEMU needs it; without it in its exact size. */
	local?: LocalDisk | undefined;
}

export interface MountOptions {
	disks: readonly MountedDisk[];
	chunks: VerifiedChunks;
	/** The quick way to the same chunks (open-chunks.ts). */
	open?: OpenSource | undefined;
	/** Bound of the chunks kept in memory. */
	cacheBytes: number;
	clock: Pick<Clock, 'now'>;
	/** A chunk that was verified; `stored` is valid until the call returns. */
	onChunk?: (disk: RestorePointDisk, index: number, stored: Uint8Array) => void;
	/** A chunk, or a page (`index` is then its first chunk), that matches its digest nowhere. */
	onDamage?: (disk: string, index: number, error: RouseError) => void;
	/** Nothing has been read of these disks yet, so that what is read first can be noted from the beginning. */
	recordsFirstReads?: boolean;
	/** What is fetched first. */
	firstReads?: FirstReads | undefined;
}

/** Fetched ahead of one stream of reads, at most. */
const maxAheadBytes = 8 * 1024 * 1024;

/** The disks of a restore point with all that they share: cache, fetcher, and who waits. */
export class MountedDisks {
	readonly disks: readonly RestorePointDisk[];
	readonly waiting: WaitingReads;
	readonly counters = new Counters();
	readonly #fetcher: ChunkFetcher;
	readonly #cache: ChunkCache<CachedChunk>;
	readonly #threads: DecodeThreads;
	readonly #buffers = new ChunkBuffers();
	readonly #inRepository: RepositoryDisk[] = [];
	readonly #record: FirstReadsRecord | undefined;
	readonly #firstFetch: FirstFetch | undefined;

	constructor(options: MountOptions) {
		const { clock, chunks, cacheBytes, recordsFirstReads, firstReads } = options;
		this.waiting = new WaitingReads(clock);
		const { open } = options;
		const buffers = this.#buffers;
		const now = open?.readNow && new ChunksNow(open, buffers, clock);
		this.#threads = new DecodeThreads(buffers, clock);
		this.#fetcher = new ChunkFetcher(chunks, { open, buffers, now, threads: this.#threads });
		this.#cache = new ChunkCache<CachedChunk>(cacheBytes, key => this.#firstFetch?.evicted(key));
		this.disks = options.disks.map((disk, number) => this.#mount(disk, number, options));
		this.#record = recordsFirstReads ? new FirstReadsRecord() : undefined;
		this.#firstFetch = firstReads && new FirstFetch(this.disks, [...placesOf(firstReads)], cacheBytes);
		this.#firstFetch?.goOn();
	}

	/** Undefined when there is nothing to fetch first. */
	get firstFetch(): FirstFetchState | undefined {
		return this.#firstFetch?.state;
	}

	/** What was read first, up to the first time that this was asked; undefined when it was not noted. */
	firstReads(): FirstReads | undefined {
		return this.#record?.end(({ disk, index }) => this.disks[disk]?.contentOf(index) === 'zero');
	}

	/** More has become local: that is read there from now on, and needs no memory any more. */
	lookAgain(): void {
		this.waiting.lookAgain();
		this.#cache.deleteAll(key => {
			const { disk, index } = placeOfKey(key);
			return this.disks[disk]?.isRestored(index) === true;
		});
		this.#firstFetch?.lookAgain();
	}

	/** What is kept to be used again: there is little to do now. */
	letGo(): void {
		this.#buffers.letGo();
		this.#threads.letGo();
		largeBuffers.letGo();
	}

	get badChunks(): BadChunk[] {
		return this.#inRepository.flatMap(disk => disk.badChunks);
	}

	/** After a repair: damaged chunks are asked for again, and reads wait again. */
	serve(): void {
		this.waiting.serve();
		for (const disk of this.#inRepository) disk.forgetDamage();
	}

	/** Reads that wait are never answered any more: end their connections first. */
	async close(): Promise<void> {
		this.#firstFetch?.close();
		this.#fetcher.close();
		for (const disk of this.#inRepository) disk.close();
		await this.#threads.close();
	}

	#mount({ name, image, local }: MountedDisk, number: number, options: MountOptions) {
		const { chunks, cacheBytes, onChunk, onDamage } = options;
		const { counters } = this;
		const repository = new RepositoryDisk(
			{ name, number },
			new DiskReader(chunks, image),
			{ cache: this.#cache, fetcher: this.#fetcher, counters },
			{
				onChunk: (index, stored) => onChunk?.(disk, index, stored),
				onDamage: (index, error) => onDamage?.(name, index, error),
			},
		);
		this.#inRepository.push(repository);
		const aheadBytes = Math.min(maxAheadBytes, cacheBytes / 4);
		const disk = new RestorePointDisk({
			name,
			sizeBytes: local ? wholeSectors(image.sizeBytes) : image.sizeBytes,
			local,
			repository,
			readAhead: new ReadAhead(Math.floor(aheadBytes / image.chunkSizeBytes)),
			counters,
			onRead: index => {
				this.#record?.note(number, index);
				this.#firstFetch?.noteRead(number, index);
			},
		});
		return disk;
	}
}
