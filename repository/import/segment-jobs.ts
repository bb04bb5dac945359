import { digestChunk, encodeChunkInto } from '../format/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { SegmentSlab, type SlabShape } from './segment-slab.ts';

/** What costs processor time of an import, for threads or inline: all of it lies in a slab. */
export interface SegmentJob {
	shared: SharedArrayBuffer;
	shape: SlabShape;
	/** Of the segment. */
	lengthBytes: number;
	/** Chunks to be encoded, by their positions in it; undefined: it is to be looked at for the first time. */
	encode?: readonly number[];
}

export function doSegmentJob({ shared, shape, lengthBytes, encode }: SegmentJob): void {
	const slab = new SegmentSlab(shape, shared);
	if (encode === undefined) digestSegment(slab, lengthBytes);
	else encodeSegment(slab, lengthBytes, encode);
}

/** Notes for each chunk whether it is zero, and if not its digests. */
export function digestSegment(slab: SegmentSlab, lengthBytes: number): void {
	const count = Math.ceil(lengthBytes / slab.shape.chunkSizeBytes);
	for (let position = 0; position < count; position++) {
		const raw = slab.raw(position, lengthBytes);
		slab.note(position, isZero(raw) ? undefined : digestChunk(raw, slab.shape.frameSizeBytes));
	}
}

/** Of chunks that were noted and are not zero. */
export function encodeSegment(slab: SegmentSlab, lengthBytes: number, positions: readonly number[]): void {
	for (const position of positions) {
		const digested = slab.digested(position, lengthBytes);
		if (digested === undefined) throw new RouseError('internal', `chunk ${position} of a segment is zero`);
		slab.store(position, (into, at) => encodeChunkInto(digested, into, at));
	}
}

/** memcmp against zeros: a chunk with data in it is mostly known for one by its first bytes. */
function isZero(bytes: Buffer): boolean {
	for (let at = 0; at < bytes.length; at += zeros.length) {
		const length = Math.min(zeros.length, bytes.length - at);
		if (bytes.compare(zeros, 0, length, at, at + length) !== 0) return false;
	}
	return true;
}

const zeros = Buffer.alloc(64 * 1024);
