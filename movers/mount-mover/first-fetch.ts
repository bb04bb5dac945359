import type { ChunkPlace } from '../first-reads.ts';
import { chunkKey } from './chunk-key.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { RestorePointDisk } from './restore-point-disk.ts';

/** Chunks asked for at once; those of pages that are not loaded yet wait for these. */
const mostUnderWay = 32;

interface Held {
	disk: RestorePointDisk;
	index: number;
	bytes: number;
}

/** How far it is. */
export interface FirstFetchState {
	/** How many chunks the list has. */
	chunks: number;
	/** Up to where in the list every chunk is at hand, or nothing is to be had of it. */
	passed: number;
	/** Of these, what was fetched for the list, and not for a read that waited. */
	fetched: number;
}

/**
 * Fetches what a machine is known to read first, in that order, ahead of it and behind every read that waits. What was
 * fetched and is neither read nor restored yet it *holds*: never more than half of the cache, in which it is.
 */
export class FirstFetch {
	readonly #disks: readonly RestorePointDisk[];
	readonly #places: readonly ChunkPlace[];
	readonly #maxHeldBytes: number;
	/** By key, those under way; true when somebody has read it meanwhile. */
	readonly #underWay = new Map<number, boolean>();
	readonly #held = new Map<number, Held>();
	#heldBytes = 0;
	#next = 0;
	#fetched = 0;
	#closed = false;

	constructor(disks: readonly RestorePointDisk[], places: readonly ChunkPlace[], cacheBytes: number) {
		this.#disks = disks;
		this.#places = places;
		this.#maxHeldBytes = cacheBytes / 2;
	}

	get state(): FirstFetchState {
		const passed = this.#next - this.#underWay.size;
		return { chunks: this.#places.length, passed, fetched: this.#fetched };
	}

	/** Begins as much as there is room for. */
	goOn(): void {
		while (!this.#closed && this.#underWay.size < mostUnderWay) {
			const place = this.#places[this.#next];
			if (place === undefined) return;
			const disk = this.#disks[place.disk];
			if (disk && !this.#hasRoomFor(disk)) return;
			this.#next += 1;
			if (disk && place.index < disk.chunkCount) this.#begin(disk, place);
		}
	}

	/** The machine has read it, or waits for it. */
	noteRead(disk: number, index: number): void {
		if (this.#held.size === 0 && this.#underWay.size === 0) return;
		const key = chunkKey(disk, index);
		if (this.#underWay.has(key)) this.#underWay.set(key, true);
		else if (this.#release(key)) this.goOn();
	}

	/** More has become local: that has no room in the cache any more. */
	lookAgain(): void {
		for (const [key, { disk, index }] of this.#held) {
			if (disk.isRestored(index)) this.#release(key);
		}
		this.goOn();
	}

	/** Reads that were not foreseen have pushed it out of the cache: it is fetched again when it is read. */
	evicted(key: number): void {
		if (this.#release(key)) this.goOn();
	}

	close(): void {
		this.#closed = true;
	}

	#hasRoomFor({ image }: RestorePointDisk): boolean {
		return this.#heldBytes + (this.#underWay.size + 1) * image.chunkSizeBytes <= this.#maxHeldBytes;
	}

	#begin(disk: RestorePointDisk, place: ChunkPlace): void {
		const { index } = place;
		if (disk.isRestored(index) || disk.isInMemory(index) || disk.damageOf(index)) return;
		if (disk.contentOf(index) === 'zero') return;
		const key = chunkKey(place.disk, index);
		this.#underWay.set(key, false);
		disk.obtainBehindReads(index, obtained => {
			const wasRead = this.#underWay.get(key);
			this.#underWay.delete(key);
			if (obtained instanceof CachedChunk && wasRead === false)
				this.#hold(key, { disk, index, bytes: obtained.rawBytes });
			this.goOn();
		});
	}

	#hold(key: number, held: Held): void {
		this.#fetched += 1;
		this.#held.set(key, held);
		this.#heldBytes += held.bytes;
	}

	#release(key: number): boolean {
		const held = this.#held.get(key);
		if (held === undefined) return false;
		this.#held.delete(key);
		this.#heldBytes -= held.bytes;
		return true;
	}
}
