import * as z from 'zod';
import { chunkRefSchema } from '../../model/chunk.ts';
import { errorDocumentSchema } from '../../model/errors.ts';

const place = z.object({ root: z.string(), height: z.int(), number: z.int() });

/** Chunks that a thread is to fetch, compare and write: of each its reference, its exact bytes, and where they belong. */
export const copyJobSchema = z.object({
	/** Open as long as the job is not answered: its number may be another file's afterwards. */
	fd: z.int(),
	refs: z.array(chunkRefSchema.extend({ place: place.exactOptional() })),
	rawBytes: z.array(z.int()),
	atBytes: z.array(z.int()),
});
export type CopyJob = z.infer<typeof copyJobSchema>;

/** What came of a job. Whatever is not written is left, for whatever reason: who asked knows a way that takes longer. */
export const copyAnswerSchema = z.object({
	/** Which of the job's chunks. */
	written: z.array(z.int()),
	/** Why some are left. */
	why: errorDocumentSchema.optional(),
	/** The file could not be written: nothing of that file is known any more. */
	writeError: z.object({ code: z.string(), message: z.string(), atBytes: z.int(), lengthBytes: z.int() }).optional(),
});
export type CopyAnswer = z.infer<typeof copyAnswerSchema>;
