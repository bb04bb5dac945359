import * as z from 'zod';
import { heldLeaseSchema } from './broker.ts';
import { type Phase, powerSchema, recoveryPlanSchema, recoveryRequestSchema } from './recovery.ts';

/**
 * What a host knows of a recovery that has not ended: enough to go on with it when its workflow is lost. Read for what is
 * known of it, as all answers.
 */
export const adoptionSchema = z.object({
	recoveryId: z.uuid(),
	/** The highest that the host has acted on. */
	generation: z.int().min(0),
	/** Null where a version began it that did not keep it. */
	request: recoveryRequestSchema.nullable(),
	/** Null before `allocate`. */
	plan: recoveryPlanSchema.nullable(),
	/** Steps that are durable, in the supervisor's own spelling. */
	done: z.array(z.string()),
	powerOnScheduled: z.boolean(),
	/** Its workflow was closed as abandoned, and the host was told. */
	abandoned: z.boolean(),
	/** As it was last seen. */
	power: powerSchema,
	/** As it was last wished for. */
	powerDesired: z.enum(['on', 'off']),
	/** The highest number of an order for power that it has begun. */
	powerOrder: z.int().min(0).default(0),
	copy: z.object({ wanted: z.boolean(), maxRateBytes: z.int().min(0) }),
	/** All disks are restored to the last chunk. */
	restored: z.boolean(),
	/** What a broker had granted to the workflow that began it. */
	lease: heldLeaseSchema.optional(),
	switch: z.object({ stage: z.enum(['none', 'begun', 'done']), pauseMs: z.number().min(0).nullable() }),
});
export type Adoption = z.infer<typeof adoptionSchema>;

/** Where a recovery stands that has come so far on its host. */
export function phaseOnHost({ plan, done, copy, restored, switch: { stage } }: Omit<Adoption, 'request'>): Phase {
	if (!done.includes('power-on')) return plan?.hardware ? 'starting' : 'planned';
	if (stage !== 'none') return 'switching';
	if (!copy.wanted) return 'running';
	return restored ? 'migrated' : 'migrating';
}
