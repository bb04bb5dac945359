import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** The host remembers that power-on was scheduled before anything starts; without `on` that is all. */
export const powerOn = (host: HostDependencies) =>
	hostStep(host, async ({ name, on }: HostStepInput & { on: boolean }, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'power-on', { ...call, on }, { signal });
	});
