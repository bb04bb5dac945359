import type { Incident } from '../../model/recovery.ts';
import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** Machine, guest writes and all else of this recovery are removed; finds nothing when it was never there. */
export const discard = (host: HostDependencies) =>
	hostStep(
		host,
		({ name }: HostStepInput, call, { signal }): Promise<{ incidents: Incident[] }> =>
			host.supervisor.step(name, 'discard', call, { signal }),
	);
