import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from './dependencies.ts';
import { planRecovery } from './plan-recovery.ts';

export const plan =
	({ repositories }: ControlDependencies) =>
	({ request }: { request: RecoveryRequest }): Promise<RecoveryPlan> =>
		attempt(({ signal }) => planRecovery(request, { repositories, signal }));
