import * as z from 'zod';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import { type HeldLease, heldLeaseSchema } from '../../model/broker.ts';
import { attempt } from '../attempt.ts';
import type { SiteWorkflows } from './site-workflows.ts';

const memoSchema = z.object({ leases: z.array(heldLeaseSchema).default([]) });

/** What all open recoveries hold, as their memos say; one that has ended since it was listed holds nothing. */
export const heldLeases =
	(site: Pick<SiteWorkflows, 'openRecoveries' | 'find'>) =>
	(_input: ActivityInput<'heldLeases'>): Promise<HeldLease[]> =>
		attempt(async ({ signal }) => {
			const found = await site.find(await site.openRecoveries(), signal);
			return found.flatMap(recovery => (recovery?.isOpen ? memoSchema.parse(recovery.memo).leases : []));
		});
