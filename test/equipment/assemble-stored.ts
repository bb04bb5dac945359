import { tableBytes, writeTableEntry, writeTableHead } from '../../repository/format/frame-table.ts';

/** A stored chunk of these frames, which need not be what an import writes; `digests` are theirs, 32 bytes each. */
export function assembleStored(
	frameBytes: number,
	digests: Buffer,
	frames: readonly { bytes: Buffer; raw: boolean }[],
): Buffer {
	const table = Buffer.alloc(tableBytes(frames.length));
	writeTableHead(table, 0, frameBytes, frames.length);
	for (const [number, { bytes, raw }] of frames.entries()) {
		const digest = digests.subarray(number * 32, (number + 1) * 32);
		writeTableEntry(table, 0, number, { storedBytes: bytes.length, raw, digest });
	}
	return Buffer.concat([table, ...frames.map(({ bytes }) => bytes)]);
}
