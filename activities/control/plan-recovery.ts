import { randomBytes } from 'node:crypto';
import { RouseError } from '../../model/errors.ts';
import type { HardwareRequest } from '../../model/hardware-request.ts';
import type { Hardware } from '../../model/hardware.ts';
import { whyUnaskable } from '../../model/readiness.ts';
import type { RecoveryPlan, RecoveryRequest } from '../../model/recovery.ts';
import { directAccess } from '../../repository/access/direct.ts';
import type { HostView } from '../../supervisor/protocol.ts';
import { hardwareRequest } from '../hardware-request.ts';
import { checkHost } from './check-host.ts';
import type { ControlDependencies } from './dependencies.ts';
import { makePlan } from './make-plan.ts';

/** What a control worker does not have: it knows no host. */
export interface AskableHost {
	view: HostView;
	chooseHardware: (request: HardwareRequest) => Promise<Hardware>;
}

interface Surroundings extends Partial<ControlDependencies> {
	host?: AskableHost;
	signal?: AbortSignal;
}

/**
 * The plan of a recovery, outside of Temporal as well: `--dry-run` shows it. With a host it is checked against it, and
 * says what its platform chooses. Changes nothing.
 */
export async function planRecovery(
	request: RecoveryRequest,
	{ host, repositories = directAccess, signal }: Surroundings = {},
): Promise<RecoveryPlan> {
	const { repository, machine, restorePoint } = request;
	const point = await repositories.readPoint(repository, machine, restorePoint, signal);
	const plan = makePlan(request, point, { randomBytes });
	if (!host) return plan;
	const warnings = [...plan.warnings, ...checkHost(plan, request.hostId, host.view)];
	const hardware = await host.chooseHardware(hardwareRequest(plan));
	const unaskable = whyUnaskable(request, hardware);
	if (unaskable) throw RouseError.fromDocument(unaskable);
	return { ...plan, warnings, hardware };
}
