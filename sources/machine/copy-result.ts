import * as z from 'zod';
import { digestSchema } from '../../model/chunk.ts';
import { pointTimeSchema } from '../../model/names.ts';
import { diskReadsSchema } from './order.ts';

export const copyResultSchema = z.strictObject({
	restorePoint: pointTimeSchema,
	manifestDigest: digestSchema,
	/** Of this attempt, as an `ImportResult` has them; 0 when an earlier one had made the point. */
	newBytes: z.int().min(0),
	storedBytes: z.int().min(0),
	warnings: z.array(z.string()),
	/** Of each disk; empty when an earlier attempt had made the point. */
	reads: z.array(diskReadsSchema),
});
export type CopyResult = z.infer<typeof copyResultSchema>;
