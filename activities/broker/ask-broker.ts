import type { ActivityInput } from '../../model/activity-inputs.ts';
import { attempt } from '../attempt.ts';
import type { SiteWorkflows } from './site-workflows.ts';

export const askBroker =
	(site: Pick<SiteWorkflows, 'askBroker'>) =>
	({ request }: ActivityInput<'askBroker'>): Promise<void> =>
		attempt(() => site.askBroker(request));
