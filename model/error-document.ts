import * as z from 'zod';
import { type ErrorDocument, errorCodes } from './errors.ts';

/** Read for what is known of it: it may come from a newer version. */
export const errorDocumentSchema = z.object({
	code: z.enum(errorCodes),
	message: z.string(),
	hint: z.string().optional(),
	details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).optional(),
}) satisfies z.ZodType<ErrorDocument>;
