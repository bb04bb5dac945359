import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** The dummy machine, powered off. */
export const createMachine = (host: HostDependencies) =>
	hostStep(host, async ({ name }: HostStepInput, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'create-machine', call, { signal });
	});
