import type { DamagedPage, DiskReader } from '../../repository/disk-reader.ts';
import { pageEntries } from '../../repository/format/page-map.ts';
import type { WantedChunk } from '../../repository/verified-chunks.ts';
import type { ChunkRange } from '../restored-map/layout.ts';

export interface CopiedChunk extends WantedChunk {
	index: number;
}

/** What is to be copied next: chunks to fetch, or chunks that are zero. */
export type CopyBatch = { kind: 'data'; chunks: readonly CopiedChunk[] } | { kind: 'zero'; range: ChunkRange };

/** What the plan needs to know of the target. */
export interface MissingChunks {
	has(chunk: number): boolean;
	nextMissing(from: number, limit?: number): number;
	endOfMissing(from: number, limit: number): number;
}

/** Disk bytes of a batch, unless it is said: enough for large reads at the repository, little enough that two fit into memory anywhere. */
const defaultBatchBytes = 8 * 1024 * 1024;

/**
 * All that the target lacks, in the order of the disk. Lazy: what was restored meanwhile by other means is left out, and
 * pages of the disk's map are read only where something is missing. A page that cannot be had is told to `onDamage` and
 * left out.
 */
export async function* planCopy(
	reader: DiskReader,
	missing: MissingChunks,
	{
		batchBytes = defaultBatchBytes,
		...options
	}: { signal: AbortSignal; onDamage: (damage: DamagedPage) => void; batchBytes?: number | undefined },
): AsyncGenerator<CopyBatch> {
	const perBatch = Math.max(1, Math.floor(batchBytes / reader.image.chunkSizeBytes));
	let chunks: CopiedChunk[] = [];
	const from = missing.nextMissing(0, reader.chunkCount);
	for await (const { firstIndex, count, page } of reader.leaves({ from, ...options })) {
		const end = firstIndex + count;
		for (let index = missing.nextMissing(firstIndex, end); index < end; index = missing.nextMissing(index, end)) {
			const stop = missing.endOfMissing(index, end);
			if (page === undefined) {
				yield { kind: 'zero', range: { first: index, count: stop - index } };
				index = stop;
				continue;
			}
			while (index < stop) {
				const zeroFrom = index;
				while (index < stop && page.isZero(index % pageEntries)) index += 1;
				if (index > zeroFrom) yield { kind: 'zero', range: { first: zeroFrom, count: index - zeroFrom } };
				if (index === stop) break;
				const ref = page.entry(index % pageEntries);
				if (ref !== 'zero' && !missing.has(index)) chunks.push({ index, ...reader.wanted(index, ref) });
				index += 1;
				if (chunks.length < perBatch) continue;
				yield { kind: 'data', chunks };
				chunks = [];
			}
		}
	}
	if (chunks.length > 0) yield { kind: 'data', chunks };
}
