import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';
import { planRecovery } from './plan-recovery.ts';

export const plan =
	({ repositories }: ControlDependencies) =>
	({ request }: ActivityInput<'plan'>): Promise<RecoveryPlan> =>
		attempt(({ signal }) => planRecovery(request, { repositories, signal }));
