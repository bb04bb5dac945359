import * as z from 'zod';

/** Where the first boot says what it did; gone with the next boot. */
export const outcomePath = '/run/rouse-appliance/outcome.json';

export const outcomeSchema = z.object({
	/** What it is configured as; null: not yet. */
	name: z.string().nullable(),
	seed: z.enum(['taken', 'none', 'refused']),
	/** Why it was refused. */
	problem: z.string().optional(),
});
export type Outcome = z.infer<typeof outcomeSchema>;
