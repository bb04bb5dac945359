import type { ChunkRef } from '../model/chunk.ts';

/** One read of a pack, for one reference or several that lie behind each other. */
export interface PlannedRead {
	packId: string;
	offsetBytes: number;
	lengthBytes: number;
	refs: ChunkRef[];
}

/** Bytes between two chunks that are read and thrown away sooner than asked for twice. */
const maxGapBytes = 64 * 1024;

/**
 * The reads for these references, in their order: neighbours in a pack become one read of up to `readBytes`. Order is
 * never changed: what was written in the order of the disk is read in it.
 */
export function planReads(refs: readonly ChunkRef[], readBytes: number): PlannedRead[] {
	const reads: PlannedRead[] = [];
	let open: PlannedRead | undefined;
	for (const ref of refs) {
		const end = ref.offsetBytes + ref.storedBytes;
		const gap = open === undefined ? 0 : ref.offsetBytes - (open.offsetBytes + open.lengthBytes);
		if (open?.packId === ref.packId && gap >= 0 && gap <= maxGapBytes && end - open.offsetBytes <= readBytes) {
			open.refs.push(ref);
			open.lengthBytes = end - open.offsetBytes;
			continue;
		}
		open = { packId: ref.packId, offsetBytes: ref.offsetBytes, lengthBytes: ref.storedBytes, refs: [ref] };
		reads.push(open);
	}
	return reads;
}

/** References of one pack that lie behind each other without a gap, of up to `mostBytes` together; a longer one is alone. */
export function* neighbours(
	refs: readonly ChunkRef[],
	mostBytes: number,
): Generator<{ refs: ChunkRef[]; offsetBytes: number; lengthBytes: number }> {
	let open: { refs: ChunkRef[]; offsetBytes: number; lengthBytes: number } | undefined;
	for (const ref of refs) {
		const { offsetBytes, storedBytes } = ref;
		const fits = open !== undefined && open.lengthBytes + storedBytes <= mostBytes;
		if (open !== undefined && fits && open.offsetBytes + open.lengthBytes === offsetBytes) {
			open.refs.push(ref);
			open.lengthBytes += storedBytes;
			continue;
		}
		if (open !== undefined) yield open;
		open = { refs: [ref], offsetBytes, lengthBytes: storedBytes };
	}
	if (open !== undefined) yield open;
}
