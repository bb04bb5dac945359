import * as z from 'zod';
import { diskImageSchema } from '../../model/chunk.ts';
import { openSealedJson, sealJson } from './sealed-json.ts';

const type = 'rouse-repository';

/** What makes a store a repository: the object `rouse-repository` (docs/format.md, "Header"). */
export const headerSchema = z.strictObject({
	id: z.uuid(),
	digest: z.literal('sha256'),
	chunkSizeBytes: diskImageSchema.shape.chunkSizeBytes,
});
export type RepositoryHeader = z.infer<typeof headerSchema>;

export function encodeHeader(header: RepositoryHeader): Buffer {
	return sealJson(type, headerSchema.parse(header));
}

/** Throws `repository_unsupported` or `format_damaged`. */
export function decodeHeader(bytes: Uint8Array): RepositoryHeader {
	return openSealedJson(type, headerSchema, bytes, type);
}
