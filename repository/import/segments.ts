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
}

/**
 * The chunks that an import must read, in reads of up to `chunksPerRead`: those that a data extent touches. A chunk in
 * which zero and data extents meet is read whole. Throws `source_invalid` when the extents have gaps or overlaps.
 */
export async function* segmentsOf(
	extents: AsyncIterable<SourceExtent>,
	map: PageMap,
	chunksPerRead: number,
): AsyncGenerator<Segment> {
	let covered = 0;
	/** Chunks below this were given out already. */
	let next = 0;
	for await (const { offsetBytes, lengthBytes, zero } of extents) {
		if (offsetBytes !== covered || lengthBytes <= 0 || offsetBytes + lengthBytes > map.sizeBytes)
			throw new RouseError(
				'source_invalid',
				`the source tells of ${lengthBytes} bytes at offset ${offsetBytes}, after ${covered} bytes of a disk of ${map.sizeBytes}`,
			);
		covered += lengthBytes;
		if (zero) continue;
		const end = Math.ceil(covered / map.chunkSizeBytes);
		for (next = Math.max(next, Math.floor(offsetBytes / map.chunkSizeBytes)); next < end; ) {
			// Reads begin at multiples of their size, whatever the extents are: the source sees few, large, aligned reads.
			const count = Math.min(end, next + chunksPerRead - (next % chunksPerRead)) - next;
			yield segmentOf(map, next, count);
			next += count;
		}
	}
	if (covered !== map.sizeBytes)
		throw new RouseError(
			'source_invalid',
			`the source tells of ${exactBytes(covered)} of its disk, which has ${exactBytes(map.sizeBytes)}`,
		);
}

/** Of neighbouring chunks. */
export function segmentOf(map: PageMap, firstIndex: number, count: number): Segment {
	const last = firstIndex + count - 1;
	const offsetBytes = firstIndex * map.chunkSizeBytes;
	const lengthBytes = last * map.chunkSizeBytes + chunkRawBytes(map, last) - offsetBytes;
	return { firstIndex, count, offsetBytes, lengthBytes };
}
