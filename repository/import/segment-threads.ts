import { availableParallelism } from 'node:os';
import { RouseError } from '../../model/errors.ts';
import { ThreadLost, ThreadPool } from '../../system/thread-pool.ts';
import { digestSegment, encodeSegment, type SegmentJob } from './segment-jobs.ts';
import { SegmentSlab, slabBytes, type SlabShape } from './segment-slab.ts';

/** How an import uses threads; what is left out is by this machine. */
export interface ImportThreads {
	/** Threads at most; with 0 everything is done inline. */
	most?: number;
	/** So much is encoded before the first thread is asked, for starting one takes longer than a small import. Digests count little. */
	inlineBytes?: number;
	/** Segments that are under way at once, at least 1. */
	slabs?: number;
	/** What a thread runs. */
	entry?: URL;
}

/** More threads wait for the one that reads, looks up and writes. */
const mostThreads = 4;
const defaultInlineBytes = 32 * 1024 * 1024;
/** Threads gain so much more by encoding than by digests, which take a tenth of the time and wait for reads. */
const encodingWeight = 32;

/** Large reads keep an NBD server and a disk busy with few requests. */
const segmentBytes = 1024 * 1024;
/** Whatever the size of chunks: of the largest there are two slabs. */
const mostSlabBytes = 48 * 1024 * 1024;

/** Slabs of a fixed number for an import's segments, and the threads that work on them. */
export class SegmentThreads {
	readonly shape: SlabShape;
	/** Segments that may be under way at once. */
	readonly slabs: number;
	readonly #free: SegmentSlab[] = [];
	#made = 0;
	readonly #pool: ThreadPool<void> | undefined;
	readonly #inlineBytes: number;
	/** What was done would have taken as long as encoding so much. */
	#doneBytes = 0;
	#isStarted = false;

	constructor(
		{ chunkSizeBytes, frameSizeBytes }: Omit<SlabShape, 'chunks'>,
		{ most, inlineBytes = defaultInlineBytes, slabs, entry }: ImportThreads = {},
	) {
		const chunks = Math.max(1, Math.floor(segmentBytes / chunkSizeBytes));
		const shape = { chunkSizeBytes, frameSizeBytes, chunks };
		const cores = availableParallelism();
		// Beside the thread that calls, a single core has no time for another.
		const threads = most ?? (cores > 1 ? Math.min(cores, mostThreads) : 0);
		this.shape = shape;
		// Each thread works on one and has one that waits for it; one is read into, and one looked up or stored.
		this.slabs = slabs ?? Math.max(2, Math.min(2 + 2 * threads, Math.floor(mostSlabBytes / slabBytes(shape))));
		this.#inlineBytes = inlineBytes;
		if (threads > 0)
			this.#pool = new ThreadPool({
				entry: entry ?? new URL('segment-thread.ts', import.meta.url),
				most: threads,
				parse: () => {},
			});
	}

	/** At most so many at once as there are: nobody waits here, since two that waited for each other would do so for ever. */
	take(): SegmentSlab {
		const free = this.#free.pop();
		if (free !== undefined) return free;
		this.#made += 1;
		if (this.#made > this.slabs) throw new RouseError('internal', `more than ${this.slabs} segments are under way`);
		return new SegmentSlab(this.shape);
	}

	/** Only when nothing reads into it or looks at it any more. */
	giveBack(slab: SegmentSlab): void {
		this.#free.push(slab);
	}

	/** Finds out which chunks of the segment that was read are zero, and the digests of the others. */
	async digest(slab: SegmentSlab, lengthBytes: number): Promise<void> {
		const job = { shared: slab.shared, shape: slab.shape, lengthBytes };
		if (!(await this.#byThread(job, lengthBytes / encodingWeight))) digestSegment(slab, lengthBytes);
	}

	/** Puts chunks that have digests into the form in which they are stored. */
	async encode(slab: SegmentSlab, lengthBytes: number, positions: readonly number[]): Promise<void> {
		const job = { shared: slab.shared, shape: slab.shape, lengthBytes, encode: [...positions] };
		const bytes = positions.length * slab.shape.chunkSizeBytes;
		if (!(await this.#byThread(job, bytes))) encodeSegment(slab, lengthBytes, positions);
	}

	/** When no segment is under way. */
	async close(): Promise<void> {
		this.#free.length = 0;
		await this.#pool?.close();
	}

	/** False: it is to be done inline. What a thread that died has left in the slab is done anew, and it writes there no more. */
	async #byThread(job: SegmentJob, costBytes: number): Promise<boolean> {
		const done = this.#doneBytes;
		this.#doneBytes += costBytes;
		if (done >= this.#inlineBytes) return this.#run(job);
		// The first is started early, and meanwhile the rest is done here.
		if (done < this.#inlineBytes / 2 || this.#isStarted) return false;
		this.#isStarted = true;
		this.#run(nothing).catch(() => {}); // the next job meets what this one met
		return false;
	}

	async #run(job: SegmentJob): Promise<boolean> {
		if (this.#pool === undefined) return false;
		try {
			await this.#pool.run(job);
			return true;
		} catch (error) {
			if (error instanceof ThreadLost) return false;
			throw error;
		}
	}
}

const noShape = { chunkSizeBytes: 1, frameSizeBytes: 1, chunks: 0 };
const nothing = { shared: new SharedArrayBuffer(0), shape: noShape, lengthBytes: 0 };
