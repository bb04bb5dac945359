import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { attempt } from '../attempt.ts';
import type { ControlDependencies } from '../repository-access.ts';
import { planRecovery } from './plan-recovery.ts';

export const plan =
	(control: ControlDependencies) =>
	({ request }: { request: RecoveryRequest }): Promise<RecoveryPlan> =>
		attempt(() => planRecovery(request, control));
