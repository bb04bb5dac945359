import type { ChunkRef } from '../model/chunk.ts';
import type { RouseError } from '../model/errors.ts';
import type { ChunkClass, ChunkSource } from './chunk-source.ts';
import type { DamagedPage, DiskReader, Leaf } from './disk-reader.ts';
import { fetchChunks } from './fetch-chunk.ts';
import { pageEntries } from './format/page-map.ts';

export interface DiskChunk {
	index: number;
	ref: ChunkRef;
	bytes: Buffer;
}

export interface DamagedChunk {
	index: number;
	ref: ChunkRef;
	error: RouseError;
}

export interface DiskChunksOptions {
	class: ChunkClass;
	signal?: AbortSignal | undefined;
	/** Told about what cannot be had, which is then left out. Without it, it is thrown. */
	onDamagedChunk?: ((damage: DamagedChunk) => void) | undefined;
	onDamagedPage?: ((damage: DamagedPage) => void) | undefined;
	/** A leaf that is done with, zero ones included; not one whose page is damaged. */
	onLeaf?: ((leaf: Leaf) => void) | undefined;
}

/** Every chunk of a disk that is not zero, verified, in the disk's order. */
export async function* diskChunks(
	source: ChunkSource,
	reader: DiskReader,
	options: DiskChunksOptions,
): AsyncGenerator<DiskChunk> {
	const { signal, onDamagedPage, onLeaf } = options;
	for await (const leaf of reader.leaves({ signal, onDamage: onDamagedPage })) {
		if (leaf.page !== undefined) yield* leafChunks(source, reader, leaf, options);
		onLeaf?.(leaf);
	}
}

async function* leafChunks(
	source: ChunkSource,
	reader: DiskReader,
	{ firstIndex, count, page }: Leaf,
	{ class: urgency, signal, onDamagedChunk }: DiskChunksOptions,
): AsyncGenerator<DiskChunk> {
	const indexes: number[] = [];
	const refs: ChunkRef[] = [];
	for (let index = firstIndex; index < firstIndex + count; index++) {
		const entry = page?.entry(index % pageEntries) ?? 'zero';
		if (entry === 'zero') continue;
		indexes.push(index);
		refs.push(entry);
	}
	const at = (position: number) => {
		const index = indexes[position];
		const ref = refs[position];
		if (index === undefined || ref === undefined) throw new RangeError(`chunk ${position} of ${refs.length}`);
		return { index, ref };
	};
	const chunks = fetchChunks(source, refs, position => reader.rawBytesOf(at(position).index), {
		class: urgency,
		signal,
		onDamage: onDamagedChunk && ((position, error) => onDamagedChunk({ ...at(position), error })),
	});
	for await (const { position, bytes } of chunks) yield { ...at(position), bytes };
}
