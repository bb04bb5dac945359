import * as z from 'zod';
import { batchPlanSchema } from '../../model/batch.ts';
import { RouseError } from '../../model/errors.ts';
import { refusalText } from '../../model/issue-text.ts';
import type { BatchInput } from '../../workflows/batch-contracts.ts';

const beginSchema = z.object({ plan: batchPlanSchema, reason: z.string().max(500).optional() });

/** Throws `usage` for what the workflow would refuse: it would fail at once, in place of the batch that had the name. */
export function refuseUnfit({ plan, order }: BatchInput): void {
	const parsed = beginSchema.safeParse({ plan, reason: order?.reason });
	if (!parsed.success) throw new RouseError('usage', `batch ${plan.name}: ${refusalText(parsed.error)}`);
}
