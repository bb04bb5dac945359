import type { RecoveryPlan } from '../../model/recovery.ts';
import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

export const allocateDisks = (host: HostDependencies) =>
	hostStep(host, async ({ name, plan }: HostStepInput & { plan: RecoveryPlan }, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'allocate', { ...call, plan }, { signal });
	});
