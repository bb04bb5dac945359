import * as z from 'zod';
import { digestSchema } from './chunk.ts';
import { nameSchema } from './names.ts';
import { recoveryRequestSchema } from './recovery.ts';

/** What a batch bears; why these: docs/architecture.md, "A batch". */
export const batchLimits = {
	/** Its input and what one run hands to the next stay below Temporal's 2 MiB. */
	items: 2_000,
	/** As JSON. What has become of the items comes to 0.7 MiB at most. */
	planBytes: 1.25 * 1024 * 1024,
	groups: 100,
	/** Asked about at once: some seconds' work for a control worker. */
	asked: 100,
	/** Started with one workflow task, whose commands go to the server in one message of 4 MiB, each request twice. */
	started: 50,
	/** Given an order at once, each of which its recovery's worker answers. */
	ordered: 20,
} as const;

/** What becomes of the others when an item fails: `discard-unstarted` also takes back those that have not run yet. */
export const onFailureSchema = z.enum(['continue', 'stop-starting', 'discard-unstarted']);

const batchItemSchema = z.strictObject({
	/** Also the name of the recovery within {@link BatchPlan.common}. */
	name: nameSchema,
	group: nameSchema,
	requestHash: digestSchema,
	/** Fields of its request that are not as in `common`. */
	differs: recoveryRequestSchema.partial(),
});
export type BatchItem = z.infer<typeof batchItemSchema>;

const batchGroupSchema = z.strictObject({
	name: nameSchema,
	/** It starts when all machines of these are ready. */
	after: z.array(nameSchema).max(batchLimits.groups),
});

/** What a batch is told to do, all points resolved: `rouse batch start` makes it of a file. */
export const batchPlanSchema = z.strictObject({
	name: nameSchema,
	/** Fields that all requests share. */
	common: recoveryRequestSchema.partial(),
	items: z.array(batchItemSchema).min(1).max(batchLimits.items),
	groups: z.array(batchGroupSchema).min(1).max(batchLimits.groups),
	/** How many machines may be on their way at once: started, and neither ready nor parked nor over. */
	window: z.int().min(1).max(batchLimits.items),
	onFailure: onFailureSchema,
	reason: z.string().max(500),
	requestedBy: z.string().max(100),
});
export type BatchPlan = z.infer<typeof batchPlanSchema>;
