import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';
import { planRecovery } from './plan-recovery.ts';

export const plan =
	({ repositories, repositoryName }: ControlDependencies) =>
	({ request }: ActivityInput<'plan'>): Promise<RecoveryPlan> =>
		attempt(async ({ signal }) => {
			const made = await planRecovery(request, { repositories, signal });
			return repositoryName ? { ...made, repositoryName: await repositoryName(request.repository) } : made;
		});
