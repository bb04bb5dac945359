import type { ChunkClass, RangeSource } from '../../repository/chunk-source.ts';
import { decodeChunkInto, openChunk } from '../../repository/format/chunk.ts';
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

interface Came<W> {
	wanted: W;
	/** In memory that is not its own. */
	stored: Buffer;
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
	if (asked.length === 0) return wanted;
	/** Whoever is not in it any more has been told: one that was forgotten would hang for ever. */
	const left = new Set(wanted);
	const has: Arrived<W> = (want, chunk, stored) => {
		left.delete(want);
		arrived(want, chunk, stored);
	};
	const open = ({ wanted: want, stored }: Came<W>) => {
		const chunk = opened(buffers, want, stored);
		if (chunk) has(want, chunk, stored);
	};
	/** Of a stream: whoever reads it wants all of it, and memory of one size is used again. A long one would hold up others. */
	const decodeHere = ({ wanted: want, stored }: Came<W>) => {
		const chunk = decoded(buffers, want, stored);
		if (chunk) has(want, chunk, stored);
	};
	const inThreads: Promise<void>[] = [];
	const decodes = isForThreads(asked, threads) ? threads : undefined;
	let next = 0;
	try {
		const refs = asked.map(({ ref, place }) => (place === undefined ? ref : { ...ref, place }));
		for await (const { lengths, bytes } of source.ranges(refs, options)) {
			const came: Came<W>[] = [];
			let at = 0;
			for (const length of lengths) {
				const want = asked[next];
				if (want === undefined) break; // more than was asked for
				came.push({ wanted: want, stored: bytes.subarray(at, at + length) });
				at += length;
				next += 1;
			}
			for (const job of decodes ? jobsOf(came) : [came]) {
				const decoding =
					decodes &&
					decode(decodes, job, (one, whole) => {
						if (whole === undefined) open(one);
						else has(one.wanted, CachedChunk.whole(buffers, whole, one.wanted.rawBytes), one.stored);
					});
				if (decoding) inThreads.push(decoding);
				else for (const one of job) (decodes && one.wanted.rawBytes < eachJobBytes ? decodeHere : open)(one);
			}
		}
	} catch {
		// Told by the other way, which meets it too.
	}
	await Promise.all(inThreads);
	return [...left];
}

function isForThreads(asked: readonly WantedChunk[], threads: DecodeThreads | undefined): threads is DecodeThreads {
	if (threads === undefined || asked.length < leastForThreads) return false;
	threads.note(asked.reduce((sum, { rawBytes }) => sum + rawBytes, 0));
	return threads.areWorthwhile;
}

function* jobsOf<W extends WantedChunk>(came: readonly Came<W>[]): Generator<Came<W>[]> {
	let job: Came<W>[] = [];
	let jobBytes = 0;
	for (const one of came) {
		job.push(one);
		jobBytes += one.wanted.rawBytes;
		if (jobBytes < eachJobBytes) continue;
		yield job;
		job = [];
		jobBytes = 0;
	}
	if (job.length > 0) yield job;
}

/** `done` gets each with its bytes, if threads have made them. Undefined: threads have too much to do. */
function decode<W extends WantedChunk>(
	threads: DecodeThreads,
	job: readonly Came<W>[],
	done: (one: Came<W>, whole: Buffer | undefined) => void,
): Promise<void> | undefined {
	const chunks = job.map(({ wanted: { ref, rawBytes }, stored }) => ({ ref, rawBytes, stored }));
	return threads.decode(chunks, (number, whole, stored) => {
		const one = job[number];
		if (one) done({ wanted: one.wanted, stored }, whole);
	});
}

/** In memory of its own; undefined when it is not the chunk. */
function opened(buffers: ChunkBuffers, { ref, rawBytes, kind }: WantedChunk, stored: Buffer): CachedChunk | undefined {
	const buffer = buffers.take(stored.length);
	stored.copy(buffer);
	try {
		return CachedChunk.opened(buffers, openChunk(ref, buffer.subarray(0, stored.length), rawBytes, kind), buffer);
	} catch {
		buffers.giveBack(buffer);
		return undefined;
	}
}

/** Undefined when its bytes are not right. */
function decoded(buffers: ChunkBuffers, { ref, rawBytes, kind }: WantedChunk, stored: Buffer): CachedChunk | undefined {
	const buffer = buffers.take(rawBytes);
	try {
		decodeChunkInto(ref, stored, buffer.subarray(0, rawBytes), kind);
		return CachedChunk.whole(buffers, buffer, rawBytes);
	} catch {
		buffers.giveBack(buffer);
		return undefined;
	}
}
