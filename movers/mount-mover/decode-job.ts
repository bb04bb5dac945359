import type { ChunkRef } from '../../model/chunk.ts';

/** A chunk as it is stored, of which a thread is to make its bytes. */
export interface StoredForm {
	ref: ChunkRef;
	stored: Uint8Array;
	rawBytes: number;
}

/** Where it lies in a job, and room for its bytes. */
export interface JobChunk {
	digest: string;
	stored: Buffer;
	into: Buffer;
}

/** Length as it is stored and of its bytes, and its digest in hex. */
const headBytes = 8 + 64;

/** What a job with these chunks takes. */
export function jobBytes(chunks: readonly StoredForm[]): number {
	return chunks.reduce((sum, { stored, rawBytes }) => sum + headBytes + stored.length + rawBytes, 0);
}

/**
 * Copies chunks into shared memory: first a head of each, then each behind the other with its room. A message says no more than
 * where that is: one that named each chunk took longer than copying them.
 */
export function writeJob(slab: SharedArrayBuffer, chunks: readonly StoredForm[]): JobChunk[] {
	const bytes = Buffer.from(slab);
	for (const [number, { ref, stored, rawBytes }] of chunks.entries()) {
		const at = number * headBytes;
		bytes.writeUInt32LE(stored.length, at);
		bytes.writeUInt32LE(rawBytes, at + 4);
		bytes.write(ref.digest, at + 8, 'latin1');
	}
	const job = readJob(slab, chunks.length);
	for (const [number, { stored }] of job.entries()) stored.set(chunks[number]?.stored ?? []);
	return job;
}

export function readJob(slab: SharedArrayBuffer, count: number): JobChunk[] {
	const bytes = Buffer.from(slab);
	let at = count * headBytes;
	const part = (lengthBytes: number) => bytes.subarray(at, (at += lengthBytes));
	return Array.from({ length: count }, (_, number) => {
		const head = number * headBytes;
		return {
			digest: bytes.toString('latin1', head + 8, head + headBytes),
			stored: part(bytes.readUInt32LE(head)),
			into: part(bytes.readUInt32LE(head + 4)),
		};
	});
}
