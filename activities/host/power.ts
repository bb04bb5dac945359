import type { Power, PowerAction } from '../../model/recovery.ts';
import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** Power as a person asks for it. Below the time an attempt has, so that the supervisor's silence has its own code. */
const timeoutMs = 12_000;

export const power = (host: HostDependencies) =>
	hostStep(
		host,
		({ name, action }: HostStepInput & { action: PowerAction }, call, { signal }): Promise<{ power: Power }> =>
			host.supervisor.step(name, 'power', { ...call, action }, { signal, timeoutMs }),
	);
