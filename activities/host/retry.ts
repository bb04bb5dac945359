import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** After a repair: what the host has given up is tried again, and a guest that stands still goes on. */
export const retry = (host: HostDependencies) =>
	hostStep(host, async ({ name }: HostStepInput, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'retry', call, { signal });
	});
