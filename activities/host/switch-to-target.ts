import type { HostStepInput } from '../../workflows/contracts.ts';
import { type HostDependencies, hostStep } from '../host-step.ts';

/** Below the 12 hours that an attempt has: the supervisor goes on by itself, and the next attempt finds it done. */
const timeoutMs = 11 * 60 * 60_000;

/** Seal, switch, commit: returns when the machine stands on its target alone, with how long the guest stood still. */
export const switchToTarget = (host: HostDependencies) =>
	hostStep(
		host,
		({ name }: HostStepInput, call, { signal }): Promise<{ pauseMs: number }> =>
			host.supervisor.step(name, 'switch', call, { signal, timeoutMs }),
	);
