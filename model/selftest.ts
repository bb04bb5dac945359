/** What a self test of a host says: it runs in a process of its own, and is told here and written down in these words. */
import * as z from 'zod';
import { errorDocumentSchema } from './error-document.ts';

const factsSchema = z.record(z.string(), z.json());
export type Facts = z.infer<typeof factsSchema>;

const checkResultSchema = z.strictObject({
	name: z.string(),
	/** What would go wrong in a recovery on a host that is otherwise. */
	why: z.string(),
	expected: z.string(),
	outcome: z.enum(['as_expected', 'otherwise', 'not_tried']),
	/** What was seen; of one that was not tried why. */
	seen: z.string(),
	/** What the host gave as the reason, in its own code. */
	hresult: z.string().nullable(),
	durationMs: z.number().min(0),
	/** Everything else that somebody far away needs to see. */
	facts: factsSchema,
});
export type CheckResult = z.infer<typeof checkResultSchema>;

export const selftestReportSchema = z.strictObject({
	version: z.literal(0),
	rouse: z.string(),
	startedAt: z.iso.datetime(),
	durationMs: z.number().min(0),
	/** With what takes minutes. */
	long: z.boolean(),
	interrupted: z.boolean(),
	checks: z.array(checkResultSchema),
	/** How machines are recovered on this host, and why so. */
	settings: z.array(z.strictObject({ what: z.string(), chosen: z.string(), why: z.string() })),
	/** What could not be removed: the next self test tries again. */
	left: z.array(z.string()),
});
export type SelftestReport = z.infer<typeof selftestReportSchema>;

/** What is told while it runs. */
export const selftestProgressSchema = z.discriminatedUnion('type', [
	z.strictObject({ type: z.literal('message'), message: z.string() }),
	z.strictObject({ type: z.literal('trying'), name: z.string() }),
	z.strictObject({ type: z.literal('check'), check: checkResultSchema }),
]);
export type SelftestProgress = z.infer<typeof selftestProgressSchema>;

/** One a line, from the process of the self test. */
export const selftestLineSchema = z.discriminatedUnion('type', [
	...selftestProgressSchema.options,
	z.strictObject({ type: z.literal('report'), report: selftestReportSchema }),
	z.strictObject({ type: z.literal('error'), error: errorDocumentSchema }),
]);
export type SelftestLine = z.infer<typeof selftestLineSchema>;
