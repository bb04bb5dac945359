import { type DiskImage, wholeSectors } from '../../model/chunk.ts';
import type { RouseError } from '../../model/errors.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import type { VerifiedChunks } from '../../repository/verified-chunks.ts';
import type { Clock } from '../../system/clock.ts';
import type { BadChunk } from '../config.ts';
import { ChunkCache } from './chunk-cache.ts';
import { ChunkFetcher } from './chunk-fetcher.ts';
import { Counters } from './counters.ts';
import type { LocalDisk } from './local-disk.ts';
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
	/** Bound of the decoded chunks kept in memory. */
	cacheBytes: number;
	clock: Pick<Clock, 'now'>;
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
	readonly waiting: WaitingReads;
	readonly counters = new Counters();
	readonly #fetcher: ChunkFetcher;
	readonly #inRepository: RepositoryDisk[] = [];

	constructor(options: MountOptions) {
		this.waiting = new WaitingReads(options.clock);
		this.#fetcher = new ChunkFetcher(options.chunks);
		const cache = new ChunkCache(options.cacheBytes);
		this.disks = options.disks.map((disk, number) => this.#mount(disk, number, cache, options));
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
	close(): void {
		this.#fetcher.close();
		for (const disk of this.#inRepository) disk.close();
	}

	#mount({ name, image, local }: MountedDisk, number: number, cache: ChunkCache, options: MountOptions) {
		const { chunks, cacheBytes, onChunk, onDamage } = options;
		const { counters } = this;
		const repository = new RepositoryDisk(
			{ name, number },
			new DiskReader(chunks, image),
			{ cache, fetcher: this.#fetcher, counters },
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
		});
		return disk;
	}
}
