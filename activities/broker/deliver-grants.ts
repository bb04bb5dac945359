import { Context } from '@temporalio/activity';
import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { SiteWorkflows } from './site-workflows.ts';

/** One told twice knows it: so an attempt that did not come to its end is simply made again. */
export const deliverGrants =
	(site: Pick<SiteWorkflows, 'tellGrants'>) =>
	({ grants }: ActivityInput<'deliverGrants'>): Promise<{ nobody: string[]; once: boolean }> =>
		attempt(async ({ signal }) => {
			const met = await site.tellGrants(grants, signal);
			const nobody = grants.filter((_grant, index) => met[index] === false).map(({ requestId }) => requestId);
			return { nobody, once: Context.current().info.attempt === 1 };
		});
