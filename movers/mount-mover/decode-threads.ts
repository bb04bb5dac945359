import { availableParallelism } from 'node:os';
import * as z from 'zod';
import type { OpenedChunk } from '../../repository/format/chunk.ts';
import type { Clock } from '../../system/clock.ts';
import { ThreadPool } from '../../system/thread-pool.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';

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
const keptSlabs = 8;
/** For a MiB of disk and what is stored of it, be it all raw. Longer ones, for chunks of more than a MiB, are not kept. */
const slabBytes = 2 * 1024 * 1024 + 64 * 1024;

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

	/** Of each chunk its bytes, at the beginning of a buffer, or undefined. Threads work on copies: `chunks` are the caller's again. */
	async decode(chunks: readonly OpenedChunk[]): Promise<(Buffer | undefined)[]> {
		const bytes = chunks.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
		if (this.#busyBytes > 0 && this.#busyBytes + bytes > mostBytes) return [];
		this.#busyBytes += bytes;
		const caller = { waits: true };
		const late = Promise.withResolvers<(Buffer | undefined)[]>();
		const timer = setTimeout(() => {
			caller.waits = false;
			late.resolve([]);
		}, this.#lateMs).unref();
		const decoded = this.#inThread(chunks, caller).finally(() => {
			this.#busyBytes -= bytes;
			clearTimeout(timer);
		});
		return await Promise.race([decoded, late.promise]);
	}

	/** Settles when no thread works on it any more, however late that is; nothing when nobody waits for it by then. */
	async #inThread(
		chunks: readonly OpenedChunk[],
		caller: { readonly waits: boolean },
	): Promise<(Buffer | undefined)[]> {
		const needed = chunks.reduce((sum, { stored, rawBytes }) => sum + stored.length + rawBytes, 0);
		const slab = this.#slab(needed);
		const job = partsOf(slab, chunks);
		const right = await this.#pool.run(job).catch((): undefined => undefined);
		if (right === undefined) return [];
		if (this.#slabs.length < keptSlabs && slab.byteLength === slabBytes) this.#slabs.push(slab);
		if (!caller.waits) return [];
		return job.map(({ into }, number) => {
			if (right[number] !== true) return undefined;
			const buffer = this.#buffers.take(into.length);
			buffer.set(into);
			return buffer;
		});
	}

	/** One that was used before, where there is one. */
	#slab(lengthBytes: number): SharedArrayBuffer {
		if (lengthBytes > slabBytes) return new SharedArrayBuffer(lengthBytes);
		return this.#slabs.pop() ?? new SharedArrayBuffer(slabBytes);
	}

	async close(): Promise<void> {
		await this.#pool.close();
	}
}

/** The stored chunks, copied behind each other into a slab, and room there for the bytes of each. */
function partsOf(slab: SharedArrayBuffer, chunks: readonly OpenedChunk[]) {
	let at = 0;
	const part = (lengthBytes: number) => {
		at += lengthBytes;
		return new Uint8Array(slab, at - lengthBytes, lengthBytes);
	};
	return chunks.map(({ ref, stored, rawBytes }) => {
		const shared = part(stored.length);
		shared.set(stored);
		return { ref, stored: shared, into: part(rawBytes) };
	});
}
