import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { chunkRawBytes, type PageMap } from '../format/page-map.ts';
import type { SourceExtent } from './disk-source.ts';

/** Neighbouring chunks that may hold data: what one read of a source covers. */
export interface Segment {
	firstIndex: number;
	count: number;
	offsetBytes: number;
	lengthBytes: number;
	/** All of them are as in the base. */
	isUnchanged: boolean;
}

/** Neighbouring chunks of which the extents say the same. */
interface ChunkRun {
	kind: SourceExtent['kind'];
	firstIndex: number;
	count: number;
}

/**
 * The chunks that are not zero, in reads of up to `chunksPerRead`. A chunk in which extents of two kinds meet is data, and read
 * whole. Throws `source_invalid` when the extents have gaps or overlaps.
 */
export async function* segmentsOf(
	extents: AsyncIterable<SourceExtent>,
	map: PageMap,
	chunksPerRead: number,
): AsyncGenerator<Segment> {
	for await (const { kind, firstIndex, count } of chunkRuns(extents, map)) {
		if (kind === 'zero') continue;
		const end = firstIndex + count;
		for (let next = firstIndex; next < end; ) {
			// Reads begin at multiples of their size, whatever the extents are: the source sees few, large, aligned reads.
			const part = Math.min(end, next + chunksPerRead - (next % chunksPerRead)) - next;
			yield segmentOf(map, next, part, kind === 'unchanged');
			next += part;
		}
	}
}

/** Every chunk once, in order. One is given out when all extents that touch it are known, or when it is data anyway. */
async function* chunkRuns(extents: AsyncIterable<SourceExtent>, map: PageMap): AsyncGenerator<ChunkRun> {
	const { sizeBytes, chunkSizeBytes, chunkCount } = map;
	let covered = 0;
	/** Chunks below this were given out already. */
	let next = 0;
	/** What the first part of chunk `next` is, when an extent has ended inside it. */
	let begun: SourceExtent['kind'] | undefined;
	for await (const { offsetBytes, lengthBytes, kind } of extents) {
		if (offsetBytes !== covered || lengthBytes <= 0 || offsetBytes + lengthBytes > sizeBytes)
			throw new RouseError(
				'source_invalid',
				`the source tells of ${lengthBytes} bytes at offset ${offsetBytes}, after ${covered} bytes of a disk of ${sizeBytes}`,
			);
		covered += lengthBytes;
		if (begun !== undefined && begun !== kind) {
			yield { kind: 'data', firstIndex: next, count: 1 };
			next += 1;
		}
		const isLast = covered === sizeBytes;
		const end = kind === 'data' || isLast ? Math.ceil(covered / chunkSizeBytes) : Math.floor(covered / chunkSizeBytes);
		if (end > next) yield { kind, firstIndex: next, count: end - next };
		next = Math.max(next, end);
		begun = covered > next * chunkSizeBytes && next < chunkCount ? kind : undefined;
	}
	if (covered !== sizeBytes)
		throw new RouseError(
			'source_invalid',
			`the source tells of ${exactBytes(covered)} of its disk, which has ${exactBytes(sizeBytes)}`,
		);
}

/** Of neighbouring chunks. */
export function segmentOf(map: PageMap, firstIndex: number, count: number, isUnchanged = false): Segment {
	const last = firstIndex + count - 1;
	const offsetBytes = firstIndex * map.chunkSizeBytes;
	const lengthBytes = last * map.chunkSizeBytes + chunkRawBytes(map, last) - offsetBytes;
	return { firstIndex, count, offsetBytes, lengthBytes, isUnchanged };
}
