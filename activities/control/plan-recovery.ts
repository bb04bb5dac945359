import { randomBytes } from 'node:crypto';
import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { readPoint } from '../../repository/points.ts';
import { openRepository } from '../../repository/repository.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { type ControlDependencies, withRepository } from '../repository-access.ts';
import { checkHost } from './check-host.ts';
import { makePlan } from './make-plan.ts';

interface Surroundings extends Partial<ControlDependencies> {
	/** Absent on a control worker, which knows no host. */
	host?: HostView;
}

/** The plan of a recovery, outside of Temporal as well: `--dry-run` shows it. Changes nothing. */
export async function planRecovery(
	request: RecoveryRequest,
	{ host, openRepository: open = openRepository }: Surroundings = {},
): Promise<RecoveryPlan> {
	const plan = await withRepository({ openRepository: open }, request.repository, async repository =>
		makePlan(request, await readPoint(repository, request.machine, request.restorePoint), { randomBytes }),
	);
	if (!host) return plan;
	return { ...plan, warnings: [...plan.warnings, ...checkHost(plan, request.hostId, host)] };
}
