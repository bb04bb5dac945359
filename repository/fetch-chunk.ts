import type { ChunkRef } from '../model/chunk.ts';
import { RouseError } from '../model/errors.ts';
import type { ChunkClass, ChunkSource } from './chunk-source.ts';
import { decodeChunk } from './format/chunk.ts';

export interface FetchOptions {
	class: ChunkClass;
	signal?: AbortSignal | undefined;
}

/**
 * One chunk, verified. When the bytes at its place do not match, the packs' footers are asked for another place before
 * this gives up with `chunk_bad`; `chunk_missing` when no pack has it.
 */
export async function fetchChunk(
	source: ChunkSource,
	ref: ChunkRef,
	rawBytes: number,
	options: FetchOptions,
): Promise<Buffer> {
	try {
		return await fetchOnce(source, ref, rawBytes, { ...options, locate: false });
	} catch (error) {
		if (!(error instanceof RouseError) || error.code !== 'chunk_bad') throw error;
		return fetchOnce(source, ref, rawBytes, { ...options, locate: true });
	}
}

async function fetchOnce(
	source: ChunkSource,
	ref: ChunkRef,
	rawBytes: number,
	options: FetchOptions & { locate: boolean },
): Promise<Buffer> {
	let bytes: Buffer | undefined;
	// To the end of the answer, though it has but one chunk: leaving it earlier costs a mover's client the connection.
	for await (const { stored } of source.fetch([ref], options)) bytes = decodeChunk(ref, stored, rawBytes);
	if (bytes !== undefined) return bytes;
	throw new RouseError('protocol', `a source of chunks answered nothing for ${ref.digest}`);
}

/**
 * Many chunks, verified, in the order asked for, each as {@link fetchChunk} gives it. `rawBytesOf` tells the size of the
 * chunk at a position in `refs`. A chunk that cannot be had is handed to `onDamage` and left out; without it, thrown.
 */
export async function* fetchChunks(
	source: ChunkSource,
	refs: readonly ChunkRef[],
	rawBytesOf: (position: number) => number,
	options: FetchOptions & { onDamage?: ((position: number, error: RouseError) => void) | undefined },
): AsyncGenerator<{ position: number; bytes: Buffer }> {
	const { onDamage, ...rest } = options;
	let next = 0;
	while (next < refs.length) {
		try {
			for await (const { stored } of source.fetch(refs.slice(next), rest)) {
				const position = next;
				const ref = refs[position];
				if (ref === undefined) throw new RouseError('protocol', `more chunks than the ${refs.length} asked for`);
				const bytes = decodeChunk(ref, stored, rawBytesOf(position));
				next++;
				yield { position, bytes };
			}
			if (next < refs.length) throw new RouseError('protocol', `${next} chunks instead of ${refs.length}`);
		} catch (error) {
			// Whatever went wrong, it was at `next`: sources answer in order. That one is asked for alone, the rest again.
			const bytes = await lastTry(source, refs, next, rawBytesOf, rest, error, onDamage);
			const position = next++;
			if (bytes) yield { position, bytes };
		}
	}
}

async function lastTry(
	source: ChunkSource,
	refs: readonly ChunkRef[],
	position: number,
	rawBytesOf: (position: number) => number,
	options: FetchOptions,
	first: unknown,
	onDamage: ((position: number, error: RouseError) => void) | undefined,
): Promise<Buffer | undefined> {
	const ref = refs[position];
	if (ref === undefined || !isDamage(first)) throw first;
	try {
		if (first.code === 'chunk_missing') throw first; // every pack was asked for it
		return await fetchOnce(source, ref, rawBytesOf(position), { ...options, locate: true });
	} catch (error) {
		if (!isDamage(error) || onDamage === undefined) throw error;
		onDamage(position, error);
		return undefined;
	}
}

export function isDamage(error: unknown): error is RouseError {
	return (
		error instanceof RouseError &&
		(error.code === 'chunk_bad' || error.code === 'chunk_missing' || error.code === 'format_damaged')
	);
}
