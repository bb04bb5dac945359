import type { Incident } from '../../model/recovery.ts';
import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** Only the machine stays. Answers with all incidents: what the workflow was told by signals may have grown since. */
export const finalize = (host: HostDependencies) =>
	hostStep(
		host,
		({ name }: HostStepInput, call, { signal }): Promise<{ incidents: Incident[] }> =>
			host.supervisor.step(name, 'finalize', call, { signal }),
	);
