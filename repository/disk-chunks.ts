import type { ChunkRef } from '../model/chunk.ts';
import type { ChunkClass } from './chunk-source.ts';
import type { ChunkDamage } from './damage.ts';
import type { DamagedPage, DiskReader, Leaf } from './disk-reader.ts';
import { pageEntries } from './format/page-map.ts';
import type { VerifiedChunks, WantedChunk } from './verified-chunks.ts';

export interface DiskChunk {
	index: number;
	ref: ChunkRef;
	bytes: Buffer;
}

export interface DamagedChunk {
	index: number;
	ref: ChunkRef;
	error: ChunkDamage;
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

/** Every chunk of a disk that is not zero, in the disk's order. */
export async function* diskChunks(
	chunks: VerifiedChunks,
	reader: DiskReader,
	options: DiskChunksOptions,
): AsyncGenerator<DiskChunk> {
	const { signal, class: urgency, onDamagedChunk, onDamagedPage, onLeaf } = options;
	for await (const leaf of reader.leaves({ signal, onDamage: onDamagedPage })) {
		for await (const { wanted, bytes, damage } of chunks.fetch(chunksOf(leaf, reader), { class: urgency, signal })) {
			const { index, ref } = wanted;
			if (damage === undefined) yield { index, ref, bytes };
			else if (onDamagedChunk) onDamagedChunk({ index, ref, error: damage });
			else throw damage;
		}
		onLeaf?.(leaf);
	}
}

function chunksOf({ firstIndex, count, page }: Leaf, reader: DiskReader): (WantedChunk & { index: number })[] {
	const chunks: (WantedChunk & { index: number })[] = [];
	if (page === undefined) return chunks;
	for (let index = firstIndex; index < firstIndex + count; index++) {
		const ref = page.entry(index % pageEntries);
		if (ref !== 'zero') chunks.push({ index, ...reader.wanted(index, ref) });
	}
	return chunks;
}
