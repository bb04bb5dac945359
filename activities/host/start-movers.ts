import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** Returns when every disk of the restore point can be read on the host. */
export const startMovers = (host: HostDependencies) =>
	hostStep(host, async ({ name }: HostStepInput, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'start-movers', call, { signal });
	});
