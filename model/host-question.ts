import * as z from 'zod';
import { hardwareRequestSchema } from './hardware-request.ts';
import { nameSchema } from './names.ts';

/** What is asked of a host on another machine, whose supervisor only its own worker reaches. It changes nothing there. */
export const hostQuestionSchema = z.discriminatedUnion('about', [
	z.strictObject({ about: z.literal('host') }),
	z.strictObject({ about: z.literal('hardware'), request: hardwareRequestSchema }),
	z.strictObject({ about: z.literal('recovery'), name: nameSchema }),
]);
export type HostQuestion = z.infer<typeof hostQuestionSchema>;
