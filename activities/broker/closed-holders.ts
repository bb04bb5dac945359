import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { Holder } from '../../model/broker.ts';
import { attempt } from '../attempt.ts';
import type { SiteWorkflows } from './site-workflows.ts';

/** Of these, those that are closed, missing, or another workflow under the same id. */
export const closedHolders =
	(site: Pick<SiteWorkflows, 'find'>) =>
	({ holders }: ActivityInput<'closedHolders'>): Promise<Holder[]> =>
		attempt(async ({ signal }) => {
			const ids = holders.map(({ workflowId }) => workflowId);
			const found = await site.find(ids, signal);
			return holders.filter(({ firstRunId }, index) => {
				const now = found[index];
				return !now?.isOpen || now.firstRunId !== firstRunId;
			});
		});
