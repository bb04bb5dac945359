import { asRouseError, RouseError } from '../../model/errors.ts';
import type { ChunkClass } from '../../repository/chunk-source.ts';
import type { ChunkDamage } from '../../repository/damage.ts';
import type { VerifiedChunks, WantedChunk } from '../../repository/verified-chunks.ts';
import { CachedChunk } from './cached-chunk.ts';
import { callAll } from './call-all.ts';
import { ChunkBuffers } from './chunk-buffers.ts';
import type { ChunksNow } from './chunks-now.ts';
import type { DecodeThreads } from './decode-threads.ts';
import { type OpenSource, openChunks } from './open-chunks.ts';

/** Whose chunks are fetched: a disk. Told before those who wait for the chunk. */
export interface ChunkReceiver {
	/** `stored` is the chunk as it lies in the pack, valid until the call returns. */
	arrived(index: number, chunk: CachedChunk, stored: Uint8Array): void;
	damaged(index: number, damage: ChunkDamage): void;
}

export interface MountedChunk extends WantedChunk {
	/** Tells chunks of all disks apart. */
	key: number;
	/** Position in the receiver's disk. */
	index: number;
	/** A frame of it was found bad: it is to be looked for until all of its bytes match. */
	doubtful?: boolean;
	receiver: ChunkReceiver;
}

/** Gets the chunk, which is kept until the call returns, or why there is none. */
export type ChunkWaiter = (outcome: CachedChunk | RouseError) => void;

interface Want extends MountedChunk {
	waiters: Set<ChunkWaiter>;
	fetching: boolean;
	/** What it is fetched with, when that waits behind others at the repository. */
	behind: FirstReadsBatch | undefined;
}

/** `begun`: some of it has come, and the rest comes as fast as a read of its own would. */
interface FirstReadsBatch {
	begun: boolean;
}

/** Requests under way at once for reads that wait, and how many chunks one of them asks for. */
const urgentFetches = 4;
const urgentBatch = 32;
/**
 * Ahead of reads: one request at a time, and only while no read waits for one to be sent. Two while threads decode, so that
 * they have what to do.
 */
const aheadBatch = 16;
const aheadQueue = 256;
/**
 * What the machine read first at an earlier time: in small requests of the class `ahead`, since a read that comes shares the way with
 * them. While such a request waits for its turn at the repository a read of something in it asks for that by itself.
 */
const firstReadsFetches = 3;
const firstReadsBatch = 8;

/** Where chunks are had from when all is well, without a look at their frames. */
export interface QuickWays {
	open?: OpenSource | undefined;
	/** Those that reads wait for. */
	now?: ChunksNow | undefined;
	threads?: DecodeThreads | undefined;
	buffers?: ChunkBuffers;
}

/**
 * The order in which chunks are fetched: each at most once at a time however many want it, those wanted together in one
 * request, those that reads wait for before those that may be read next, or that the machine has read before.
 */
export class ChunkFetcher {
	readonly #chunks: VerifiedChunks;
	readonly #open: OpenSource | undefined;
	readonly #now: ChunksNow | undefined;
	readonly #threads: DecodeThreads | undefined;
	readonly #buffers: ChunkBuffers;
	readonly #wants = new Map<number, Want>();
	/** All in the order to be sent. */
	readonly #urgent = new Set<Want>();
	readonly #ahead = new Set<Want>();
	readonly #firstReads = new Set<Want>();
	#urgentRunning = 0;
	#aheadRunning = 0;
	#firstReadsRunning = 0;
	#scheduled = false;
	readonly #closed = new AbortController();

	constructor(chunks: VerifiedChunks, { open, now, threads, buffers = new ChunkBuffers() }: QuickWays = {}) {
		this.#chunks = chunks;
		this.#open = open;
		this.#now = now;
		this.#threads = threads;
		this.#buffers = buffers;
	}

	/** Calls `waiter` once, later, unless the returned function is called before. */
	want(chunk: MountedChunk, waiter: ChunkWaiter): () => void {
		const want = this.#wants.get(chunk.key) ?? this.#add(chunk);
		want.doubtful ||= chunk.doubtful === true;
		want.waiters.add(waiter);
		if (!want.fetching || want.behind?.begun === false) {
			want.behind = undefined;
			this.#ahead.delete(want);
			this.#firstReads.delete(want);
			this.#urgent.add(want);
			this.#schedule();
		}
		return () => this.#unwant(want, waiter);
	}

	/** As `want`, behind all reads. Whoever asks bounds how many. */
	wantBehindReads(chunk: MountedChunk, waiter: ChunkWaiter): void {
		const known = this.#wants.get(chunk.key);
		const want = known ?? this.#add(chunk);
		want.waiters.add(waiter);
		// One that was to be fetched ahead may be dropped, and this waiter with it.
		if (known && !this.#ahead.delete(known)) return;
		this.#firstReads.add(want);
		this.#schedule();
	}

	/** Fetches it when there is time. Dropped when there is more to fetch ahead than is worth while. */
	wantAhead(chunk: MountedChunk): void {
		if (this.#wants.has(chunk.key)) return;
		this.#ahead.add(this.#add(chunk));
		for (const oldest of this.#ahead) {
			if (this.#ahead.size <= aheadQueue) break;
			this.#ahead.delete(oldest);
			this.#wants.delete(oldest.key);
		}
		this.#schedule();
	}

	/** Waiters are not called any more. */
	close(): void {
		this.#closed.abort(new RouseError('interrupted', 'the mount mover ends'));
		this.#wants.clear();
		this.#urgent.clear();
		this.#ahead.clear();
		this.#firstReads.clear();
	}

	#add(chunk: MountedChunk): Want {
		const want: Want = { ...chunk, waiters: new Set(), fetching: false, behind: undefined };
		this.#wants.set(chunk.key, want);
		return want;
	}

	#unwant(want: Want, waiter: ChunkWaiter): void {
		want.waiters.delete(waiter);
		if (want.waiters.size > 0 || !this.#urgent.delete(want)) return;
		this.#wants.delete(want.key);
	}

	/** At the end of what happens now, so that all that one event wants goes into one request. */
	#schedule(): void {
		if (this.#scheduled) return;
		this.#scheduled = true;
		queueMicrotask(() => {
			this.#scheduled = false;
			this.#send();
		});
	}

	#send(): void {
		while (this.#urgent.size > 0 && this.#urgentRunning < urgentFetches) {
			this.#urgentRunning += 1;
			void this.#run(takeFrom(this.#urgent, urgentBatch)).finally(() => {
				this.#urgentRunning -= 1;
				this.#send();
			});
		}
		if (this.#urgent.size > 0) return;
		const aheadFetches = this.#threads?.areWorthwhile ? 2 : 1;
		while (this.#ahead.size > 0 && this.#aheadRunning < aheadFetches) {
			this.#aheadRunning += 1;
			void this.#run(takeFrom(this.#ahead, aheadBatch)).finally(() => {
				this.#aheadRunning -= 1;
				this.#send();
			});
		}
		while (this.#firstReads.size > 0 && this.#firstReadsRunning < firstReadsFetches) {
			this.#firstReadsRunning += 1;
			void this.#runBehind(takeFrom(this.#firstReads, firstReadsBatch)).finally(() => {
				this.#firstReadsRunning -= 1;
				this.#send();
			});
		}
	}

	/** Ends when every chunk of the batch has come, or it is known why it cannot. */
	async #run(batch: readonly Want[]): Promise<void> {
		await this.#fetch(batch, 'mount', undefined);
	}

	async #runBehind(batch: readonly Want[]): Promise<void> {
		const behind = { begun: false };
		for (const want of batch) want.behind = behind;
		await this.#fetch(batch, 'ahead', behind);
	}

	async #fetch(batch: readonly Want[], of: ChunkClass, behind: FirstReadsBatch | undefined): Promise<void> {
		const { signal } = this.#closed;
		const options = { class: of, signal };
		const begun = () => {
			if (behind) behind.begun = true;
		};
		let left = batch;
		const arrived = (want: Want, chunk: CachedChunk, stored: Uint8Array) => {
			begun();
			this.#arrived(want, chunk, stored);
		};
		if (this.#now && behind === undefined) left = await this.#now.read(left, signal, arrived);
		if (this.#open) {
			left = await openChunks(this.#open, this.#buffers, left, { ...options, threads: this.#threads }, arrived);
		}
		let settled = 0;
		try {
			if (left.length === 0) return;
			for await (const { wanted, bytes, stored, damage } of this.#chunks.fetch(left, options)) {
				settled += 1;
				begun();
				if (damage) this.#damaged(wanted, damage);
				else this.#arrived(wanted, CachedChunk.whole(this.#buffers, bytes), stored);
			}
		} catch (thrown) {
			// Of a source that never gives up only its end. Another one's failure damages nothing: the next read asks again.
			if (signal.aborted) return;
			for (const want of left.slice(settled)) if (want.behind === behind) this.#tell(want, asRouseError(thrown));
		}
	}

	/** Throws nothing: that would be taken for a failure of the source. */
	#arrived(want: Want, chunk: CachedChunk, stored: Uint8Array): void {
		if (!this.#isWanted(want)) return;
		chunk.keep();
		callAll([() => want.receiver.arrived(want.index, chunk, stored)], undefined);
		this.#tell(want, chunk);
		chunk.letGo();
	}

	#damaged(want: Want, damage: ChunkDamage): void {
		if (!this.#isWanted(want)) return;
		callAll([() => want.receiver.damaged(want.index, damage)], undefined);
		this.#tell(want, damage);
	}

	/** Else a read that asked by itself was faster, or slower. */
	#isWanted(want: Want): boolean {
		return !this.#closed.signal.aborted && this.#wants.get(want.key) === want;
	}

	#tell(want: Want, outcome: CachedChunk | RouseError): void {
		if (this.#wants.get(want.key) !== want) return; // told already, by the other of two that fetched it
		this.#wants.delete(want.key);
		this.#urgent.delete(want);
		callAll(want.waiters, outcome);
	}
}

function takeFrom(queue: Set<Want>, count: number): Want[] {
	const taken: Want[] = [];
	for (const want of queue) {
		if (taken.length === count) break;
		queue.delete(want);
		want.fetching = true;
		taken.push(want);
	}
	return taken;
}
