import { digestChunk, encodeChunk } from '../../repository/format/chunk.ts';
import type { ChunkKind } from '../../repository/format/frame-table.ts';

/** Bytes as they lie in a pack, with their digest in hex. */
export async function storedChunk(
	raw: Uint8Array,
	kind: ChunkKind = 'chunk',
	frameBytes: number = 64 * 1024,
): Promise<{ digest: string; stored: Buffer }> {
	const digested = digestChunk(Buffer.from(raw), frameBytes, kind);
	return { digest: digested.digest.toString('hex'), stored: encodeChunk(digested) };
}
