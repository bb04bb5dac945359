import { RouseError } from '../../model/errors.ts';
import { exactBytes } from '../../model/format-bytes.ts';
import { chunkRawBytes, pageEntries, type PageMap } from '../format/page-map.ts';
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
 * The chunks that are not zero: what is data in reads of up to `chunksPerRead`, what is unchanged in pieces of any length. A chunk in
 * which extents of two kinds meet is data, and read whole. Throws `source_invalid` when the extents have gaps or overlaps.
 */
export async function* segmentsOf(
	extents: AsyncIterable<SourceExtent>,
	map: PageMap,
	chunksPerRead: number,
): AsyncGenerator<Segment> {
	/** Unchanged chunks that are kept back until the leaf that they are in is known as a whole. */
	let kept: { firstIndex: number; count: number } | undefined;
	for await (const { kind, firstIndex, count } of chunkRuns(extents, map)) {
		if (kind !== 'unchanged') {
			if (kept !== undefined) yield segmentOf(map, kept.firstIndex, kept.count, true);
			kept = undefined;
			if (kind === 'data') yield* readsOf(map, firstIndex, count, chunksPerRead);
			continue;
		}
		const from = kept?.firstIndex ?? firstIndex;
		const end = firstIndex + count;
		const whole = Math.max(from, end - (end % pageEntries));
		if (whole > from) yield segmentOf(map, from, whole - from, true);
		kept = end > whole ? { firstIndex: whole, count: end - whole } : undefined;
	}
	if (kept !== undefined) yield segmentOf(map, kept.firstIndex, kept.count, true);
}

/** Reads begin at multiples of their size, whatever the extents are: the source sees few, large, aligned reads. */
export function* readsOf(map: PageMap, firstIndex: number, count: number, chunksPerRead: number): Generator<Segment> {
	const end = firstIndex + count;
	for (let next = firstIndex; next < end; ) {
		const part = Math.min(end, next + chunksPerRead - (next % chunksPerRead)) - next;
		yield segmentOf(map, next, part);
		next += part;
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
