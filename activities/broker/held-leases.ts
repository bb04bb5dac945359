import { Context } from '@temporalio/activity';
import * as z from 'zod';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import { type HeldLease, heldLeaseSchema } from '../../model/broker.ts';
import { attempt } from '../attempt.ts';
import type { FoundWorkflow, SiteWorkflows } from './site-workflows.ts';

const memoSchema = z.object({ leases: z.array(heldLeaseSchema).default([]) });

/**
 * One memo that cannot be read must not keep a new broker from ever granting anything: what runs on a host the host tells
 * as well.
 */
function leasesIn({ memo, firstRunId }: FoundWorkflow): HeldLease[] {
	const { data, error } = memoSchema.safeParse(memo);
	if (error)
		Context.current().log.warn('leases in a memo that cannot be read were left out', {
			firstRunId,
			cause: error.message,
		});
	return data?.leases ?? [];
}

/** What all open recoveries and imports hold, as their memos say; one that has ended since it was listed holds nothing. */
export const heldLeases =
	(site: Pick<SiteWorkflows, 'openHolders' | 'find'>) =>
	(_input: ActivityInput<'heldLeases'>): Promise<HeldLease[]> =>
		attempt(async ({ signal }) => {
			const found = await site.find(await site.openHolders(), signal);
			return found.flatMap(holder => (holder?.isOpen ? leasesIn(holder) : []));
		});
