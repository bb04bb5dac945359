import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** A place among the host's recoveries; `host_busy`, to be tried again, while there is none. */
export const reserve = (host: HostDependencies) =>
	hostStep(host, async ({ name }: HostStepInput, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'reserve', { ...call, limit: host.recoveries }, { signal });
	});
