import type { ChunkClass, RangeSource } from '../../repository/chunk-source.ts';
import { openChunk } from '../../repository/format/chunk.ts';
import type { WantedChunk } from '../../repository/verified-chunks.ts';
import { CachedChunk } from './cached-chunk.ts';
import type { ChunkBuffers } from './chunk-buffers.ts';

export type OpenSource = Pick<RangeSource, 'ranges' | 'readNow'>;

/**
 * The quick way to chunks: each as it is stored, with no more than a look at its table, its frames when they are read. Does the
 * normal case alone: returns those for which something was wrong, whatever it was, for the way that asks again and looks
 * elsewhere (repository/verified-chunks.ts); so with those that are doubtful.
 */
export async function openChunks<W extends WantedChunk & { doubtful?: boolean }>(
	source: OpenSource,
	buffers: ChunkBuffers,
	wanted: readonly W[],
	options: { class: ChunkClass; signal: AbortSignal },
	arrived: (wanted: W, chunk: CachedChunk, stored: Buffer) => void,
): Promise<readonly W[]> {
	const asked = wanted.filter(({ doubtful }) => doubtful !== true);
	const left = wanted.filter(({ doubtful }) => doubtful === true);
	let next = 0;
	try {
		const refs = asked.map(({ ref, place }) => (place === undefined ? ref : { ...ref, place }));
		for await (const { lengths, bytes } of refs.length > 0 ? source.ranges(refs, options) : []) {
			let at = 0;
			for (const length of lengths) {
				const want = asked[next];
				if (want === undefined) return left; // more than was asked for
				const chunk = opened(buffers, want, bytes.subarray(at, at + length));
				at += length;
				next += 1;
				if (chunk === undefined) left.push(want);
				else arrived(want, chunk, chunk.stored ?? bytes);
			}
		}
	} catch {
		// Told by the other way, which meets it too.
	}
	return [...left, ...asked.slice(next)];
}

/** In memory of its own; undefined when it is not the chunk. */
function opened(buffers: ChunkBuffers, { ref, rawBytes, kind }: WantedChunk, bytes: Buffer): CachedChunk | undefined {
	const buffer = buffers.take(bytes.length);
	bytes.copy(buffer);
	try {
		return CachedChunk.opened(buffers, openChunk(ref, buffer.subarray(0, bytes.length), rawBytes, kind), buffer);
	} catch {
		buffers.giveBack(buffer);
		return undefined;
	}
}
