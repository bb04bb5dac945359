import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** The protective snapshot: from here on guest writes have a place of their own. */
export const takeSnapshot = (host: HostDependencies) =>
	hostStep(host, async ({ name }: HostStepInput, call, { signal }): Promise<void> => {
		await host.supervisor.step(name, 'snapshot', call, { signal });
	});
