import { availableParallelism } from 'node:os';
import * as z from 'zod';
import type { Clock } from '../../system/clock.ts';
import { ThreadPool } from '../../system/thread-pool.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import { jobBytes, type StoredForm, writeJob } from './decode-job.ts';

/** In a second, by large requests. A machine that does not copy or check its disks reads less, and on a thin line less comes. */
const muchBytes = 32 * 1024 * 1024;
const secondMs = 1_000;
/** Under way at once, or a single job; what comes above it is decoded when it is read. */
const mostBytes = 8 * 1024 * 1024;

/**
 * What threads have not decoded by then is decoded when it is read: somebody may wait for it, and a thread takes that long to
 * start, or never comes to it.
 */
const lateAfterMs = 200;

/** As many as there are jobs of usual chunks at once: a fresh one costs as much as what is done in it. */
const mostSlabs = 8;
/** For a MiB of disk and what is stored of it, be it all raw. Longer ones, for chunks of more than a MiB, are not kept. */
const slabBytes = 2 * 1024 * 1024 + 64 * 1024;

/** Which of the chunks, its bytes if they were made, and the chunk as it is stored. */
type Decoded = (number: number, whole: Buffer | undefined, stored: Buffer) => void;

/**
 * Decodes whole chunks in threads while much is read, so that those who read them find them decoded. Nothing depends on it: of
 * a chunk for which it did not come to that, whatever the reason, the frames are decoded as they are read.
 */
export class DecodeThreads {
	readonly #buffers: ChunkBuffers;
	readonly #clock: Pick<Clock, 'now'>;
	readonly #pool: ThreadPool<boolean[]>;
	readonly #lateMs: number;
	/** When the present second has begun, what was asked for in it, and in the one before. */
	#since = -Infinity;
	#bytes = 0;
	#before = 0;
	#busyBytes = 0;
	readonly #slabs: SharedArrayBuffer[] = [];
	/** Those that are free and those that jobs have. */
	#madeSlabs = 0;

	constructor(
		buffers: ChunkBuffers,
		clock: Pick<Clock, 'now'>,
		{ entry = new URL('decode-thread.ts', import.meta.url), lateMs = lateAfterMs } = {},
	) {
		this.#buffers = buffers;
		this.#clock = clock;
		this.#lateMs = lateMs;
		const most = Math.min(availableParallelism(), 4);
		this.#pool = new ThreadPool({ entry, most, parse: answer => z.array(z.boolean()).parse(answer) });
	}

	get threads(): number {
		return this.#pool.threads;
	}

	/** Large requests ask for so much. */
	note(bytes: number): void {
		const elapsedMs = this.#clock.now() - this.#since;
		if (elapsedMs >= secondMs) {
			this.#before = elapsedMs < 2 * secondMs ? this.#bytes : 0;
			this.#bytes = 0;
			this.#since = this.#clock.now();
		}
		this.#bytes += bytes;
	}

	/** So much is fetched that threads are worth while. */
	get areWorthwhile(): boolean {
		const elapsedMs = this.#clock.now() - this.#since;
		return Math.max(this.#bytes, this.#before) > muchBytes && elapsedMs < 2 * secondMs;
	}

	/**
	 * Has threads decode what is copied before this returns; undefined when so much is under way that they come to it too late.
	 * `done` is called once for each chunk, then it resolves: with its bytes, at the beginning of a buffer, if a thread has made
	 * them, and with the copy, which is valid until the call returns.
	 */
	decode(chunks: readonly StoredForm[], done: Decoded): Promise<void> | undefined {
		const bytes = chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
		if (this.#busyBytes > 0 && this.#busyBytes + bytes > mostBytes) return undefined;
		const slab = this.#slab(jobBytes(chunks));
		if (slab === undefined) return undefined;
		this.#busyBytes += bytes;
		const job = writeJob(slab, chunks);
		let isTold = false;
		const tell = (right: readonly boolean[]) => {
			if (isTold) return;
			isTold = true;
			for (const [number, { stored, into }] of job.entries())
				done(number, right[number] === true ? this.#copyOf(into) : undefined, stored);
		};
		const late = Promise.withResolvers<void>();
		const timer = setTimeout(() => {
			tell([]);
			late.resolve();
		}, this.#lateMs).unref();
		const decoded = async () => {
			const right = await this.#pool.run([slab, chunks.length]).catch((): boolean[] => []);
			// However late that is: no thread works on it any more.
			clearTimeout(timer);
			this.#busyBytes -= bytes;
			tell(right);
			if (slab.byteLength === slabBytes) this.#slabs.push(slab);
		};
		return Promise.race([decoded(), late.promise]);
	}

	#copyOf(bytes: Buffer): Buffer {
		const buffer = this.#buffers.take(bytes.length);
		bytes.copy(buffer);
		return buffer;
	}

	/** One that was used before, where there is one. Undefined when all are in use: V8 does not count them, and keeps what is dropped. */
	#slab(lengthBytes: number): SharedArrayBuffer | undefined {
		if (lengthBytes > slabBytes) return new SharedArrayBuffer(lengthBytes);
		const free = this.#slabs.pop();
		if (free || this.#madeSlabs === mostSlabs) return free;
		this.#madeSlabs += 1;
		return new SharedArrayBuffer(slabBytes);
	}

	/** What is kept for jobs that may never come. */
	letGo(): void {
		this.#madeSlabs -= this.#slabs.length;
		this.#slabs.length = 0;
	}

	async close(): Promise<void> {
		await this.#pool.close();
	}
}
