import { randomBytes } from 'node:crypto';
import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { readPoint } from '../../repository/points.ts';
import { openRepository } from '../../repository/repository.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { attempt } from '../attempt.ts';
import { type ControlDependencies, withRepository } from '../repository-access.ts';
import { checkHost } from './check-host.ts';
import { makePlan } from './make-plan.ts';

export interface PlanDependencies extends Partial<ControlDependencies> {
	/** Who to ask about the host; absent on a control worker, which knows no host. */
	supervisor?: { host(): Promise<HostView> };
}

/** The plan of a recovery, outside of Temporal as well: `--dry-run` shows it. Changes nothing. */
export async function planRecovery(
	request: RecoveryRequest,
	{ supervisor, openRepository: open = openRepository }: PlanDependencies = {},
): Promise<RecoveryPlan> {
	const plan = await withRepository({ openRepository: open }, request.repository, async repository =>
		makePlan(request, await readPoint(repository, request.machine, request.restorePoint), { randomBytes }),
	);
	if (!supervisor) return plan;
	return { ...plan, warnings: [...plan.warnings, ...checkHost(plan, request.hostId, await supervisor.host())] };
}

export const plan =
	(control: ControlDependencies) =>
	({ request }: { request: RecoveryRequest }): Promise<RecoveryPlan> =>
		attempt(() => planRecovery(request, control));
