import * as z from 'zod';
import { diskImageSchema } from '../../model/chunk.ts';
import { digestAlgorithm } from './digest.ts';
import { openSealedJson, sealJson } from './sealed-json.ts';

const type = 'rouse-repository';

/** What makes a store a repository: the object `rouse-repository`, and its copy (docs/format.md, "Header"). */
const headerSchema = z.strictObject({
	id: z.uuid(),
	digest: z.literal(digestAlgorithm),
	chunkSizeBytes: diskImageSchema.shape.chunkSizeBytes,
	frameSizeBytes: diskImageSchema.shape.frameSizeBytes,
});
export type RepositoryHeader = z.infer<typeof headerSchema>;

export function encodeHeader(header: RepositoryHeader): Buffer {
	return sealJson(type, headerSchema.parse(header));
}

/** Throws `repository_unsupported` or `format_damaged`. `key`: of the header or its copy. */
export function decodeHeader(bytes: Uint8Array, key: string = type): RepositoryHeader {
	return openSealedJson(type, headerSchema, bytes, key);
}
