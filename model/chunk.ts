import * as z from 'zod';
import { maxChunkBytes, maxStoredBytes, minFrameBytes, minStoredBytes, sectorBytes } from './chunk-bounds.ts';

/** 32 bytes in lower-case hex: BLAKE3 of chunks, pages and contents, SHA-256 of JSON objects (docs/format.md, "Digests"). */
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);

/**
 * A chunk by its digest, and where it was stored when the reference was written. The place is a hint: when it does not
 * hold that digest, the footers of the packs are asked.
 */
export const chunkRefSchema = z.strictObject({
	digest: digestSchema,
	packId: z.string().regex(/^[0-9a-f]{32}$/),
	offsetBytes: z.int().min(0).max(0xffff_ffff),
	storedBytes: z.int().min(minStoredBytes).max(maxStoredBytes),
});
export type ChunkRef = z.infer<typeof chunkRefSchema>;

/** What a disk of a restore point lacks, since only a part of its image was there: it is stored as zeros. */
const missingPartSchema = z.strictObject({
	/** Where the first of it begins. */
	atBytes: z.int().min(0),
	/** Of all of it, wherever it is. */
	lengthBytes: z.int().min(1),
});
export type MissingPart = z.infer<typeof missingPartSchema>;

function isPowerOfTwo(value: number): boolean {
	return Number.isInteger(Math.log2(value));
}

/** A disk of a restore point: enough to read it through any source of chunks. */
export const diskImageSchema = z.strictObject({
	/** Exact size, as the source had it; not always a multiple of 512. */
	sizeBytes: z.int().min(1),
	/** Whole sectors: a chunk that ended inside one could not be written to a target without its neighbour. */
	chunkSizeBytes: z.int().min(4096).max(maxChunkBytes).multipleOf(sectorBytes),
	/** Chunks are stored in frames of so many bytes, a power of two. */
	frameSizeBytes: z.int().min(minFrameBytes).max(maxChunkBytes).refine(isPowerOfTwo, 'must be a power of two'),
	/** Root of the page map; absent when the whole disk is zero. */
	root: chunkRefSchema.optional(),
	/** Digest that identifies the content of the whole disk, zero disks included. */
	contentDigest: digestSchema,
	/** Bytes in chunks that are not zero. */
	dataBytes: z.int().min(0),
	missing: missingPartSchema.optional(),
});
export type DiskImage = z.infer<typeof diskImageSchema>;
