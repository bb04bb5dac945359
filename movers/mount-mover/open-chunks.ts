import type { ChunkClass, RangeSource } from '../../repository/chunk-source.ts';
import { openChunk, type OpenedChunk } from '../../repository/format/chunk.ts';
import type { WantedChunk } from '../../repository/verified-chunks.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';
import type { DecodeThreads } from './decode-threads.ts';

export type OpenSource = Pick<RangeSource, 'ranges' | 'readNow'>;

interface OpenOptions {
	class: ChunkClass;
	signal: AbortSignal;
	threads?: DecodeThreads | undefined;
}

interface Opened<W> {
	wanted: W;
	opened: OpenedChunk;
	/** In which it lies. */
	buffer: Buffer;
}

/** `stored` is the chunk as it lies in the pack, valid until the call returns. */
type Arrived<W> = (wanted: W, chunk: CachedChunk, stored: Uint8Array) => void;

/** One job is not so long that another thread has nothing to do, nor so short that telling of it takes longer. */
const eachJobBytes = 1024 * 1024;
/** Of a request, at least: fewer are no stream. */
const leastForThreads = 8;

/**
 * The quick way to chunks: each as it is stored, with no more than a look at its table, its frames when they are read, or by
 * threads where there are many. Does the normal case alone: returns those for which something was wrong, whatever it was, for
 * the way that asks again and looks elsewhere (repository/verified-chunks.ts); so with those that are doubtful.
 */
export async function openChunks<W extends WantedChunk & { doubtful?: boolean }>(
	source: OpenSource,
	buffers: ChunkBuffers,
	wanted: readonly W[],
	{ threads, ...options }: OpenOptions,
	arrived: Arrived<W>,
): Promise<readonly W[]> {
	const asked = wanted.filter(({ doubtful }) => doubtful !== true);
	const left = wanted.filter(({ doubtful }) => doubtful === true);
	if (asked.length === 0) return left;
	const decoding = isForThreads(asked, threads) ? new Decoding(threads, buffers, arrived) : undefined;
	let next = 0;
	try {
		const refs = asked.map(({ ref, place }) => (place === undefined ? ref : { ...ref, place }));
		for await (const { lengths, bytes } of source.ranges(refs, options)) {
			let at = 0;
			for (const length of lengths) {
				const want = asked[next];
				if (want === undefined) break; // more than was asked for
				const opened = copyOf(buffers, want, bytes.subarray(at, at + length));
				at += length;
				next += 1;
				if (opened === undefined) left.push(want);
				else if (decoding) decoding.add(opened);
				else arrived(want, CachedChunk.opened(buffers, opened.opened, opened.buffer), opened.opened.stored);
			}
		}
	} catch {
		// Told by the other way, which meets it too.
	}
	await decoding?.end();
	return [...left, ...asked.slice(next)];
}

function isForThreads(asked: readonly WantedChunk[], threads: DecodeThreads | undefined): threads is DecodeThreads {
	if (threads === undefined || asked.length < leastForThreads) return false;
	threads.note(asked.reduce((sum, { rawBytes }) => sum + rawBytes, 0));
	return threads.areWorthwhile;
}

/** In memory of its own; undefined when it is not the chunk. */
function copyOf<W extends WantedChunk>(buffers: ChunkBuffers, wanted: W, bytes: Buffer): Opened<W> | undefined {
	const buffer = buffers.take(bytes.length);
	bytes.copy(buffer);
	try {
		const { ref, rawBytes, kind } = wanted;
		return { wanted, opened: openChunk(ref, buffer.subarray(0, bytes.length), rawBytes, kind), buffer };
	} catch {
		buffers.giveBack(buffer);
		return undefined;
	}
}

/** Chunks of one request that arrive when threads have decoded them, or could not. */
class Decoding<W> {
	readonly #threads: DecodeThreads;
	readonly #buffers: ChunkBuffers;
	readonly #arrived: Arrived<W>;
	#job: Opened<W>[] = [];
	#jobBytes = 0;
	readonly #sent: Promise<void>[] = [];

	constructor(threads: DecodeThreads, buffers: ChunkBuffers, arrived: Arrived<W>) {
		this.#threads = threads;
		this.#buffers = buffers;
		this.#arrived = arrived;
	}

	add(chunk: Opened<W>): void {
		this.#job.push(chunk);
		this.#jobBytes += chunk.opened.rawBytes;
		if (this.#jobBytes >= eachJobBytes) this.#send();
	}

	async end(): Promise<void> {
		this.#send();
		await Promise.all(this.#sent);
	}

	#send(): void {
		if (this.#job.length > 0) this.#sent.push(this.#decode(this.#job));
		this.#job = [];
		this.#jobBytes = 0;
	}

	async #decode(job: readonly Opened<W>[]): Promise<void> {
		const decoded = await this.#threads.decode(job.map(({ opened }) => opened));
		for (const [number, { wanted, opened, buffer }] of job.entries()) {
			const whole = decoded[number];
			if (whole === undefined) {
				this.#arrived(wanted, CachedChunk.opened(this.#buffers, opened, buffer), opened.stored);
				continue;
			}
			this.#arrived(wanted, CachedChunk.whole(this.#buffers, whole, opened.rawBytes), opened.stored);
			this.#buffers.giveBack(buffer);
		}
	}
}
