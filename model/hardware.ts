/** What a platform chose for a machine. Its own words are opaque here: it made them, and it alone reads them again. */
import * as z from 'zod';

/** JSON of one platform's own. */
export const platformDataSchema = z.record(z.string().max(40), z.json());
export type PlatformData = z.infer<typeof platformDataSchema>;

/** One decision, for people. */
const choiceSchema = z.strictObject({
	/** What was to be decided: `disks`, `network cards`, `acceleration`. */
	what: z.string(),
	chosen: z.string(),
	why: z.string(),
});
export type Choice = z.infer<typeof choiceSchema>;

export const hardwareSchema = z.strictObject({
	/** Kind of the platform that chose; another one must choose anew. */
	platform: z.string(),
	data: platformDataSchema,
	choices: z.array(choiceSchema),
	/** Whether the guest's agent can be asked on that platform; absent: it cannot. */
	agent: z.boolean().optional(),
	/** What a person should know before they say yes. */
	warnings: z.array(z.string()),
});
export type Hardware = z.infer<typeof hardwareSchema>;
