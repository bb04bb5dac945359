import type { ActivityInput } from '../../../model/activity-inputs.ts';
import { asRouseError } from '../../../model/errors.ts';
import type { MachineFindings } from '../../../model/drill-report.ts';
import { type HostDependencies, hostAttempt } from '../../host-attempt.ts';
import { drilledOnHost } from './drilled-on-host.ts';

type Seen = Pick<MachineFindings, 'screenshot' | 'screenshotReason' | 'readBytes'>;

/** A picture of the console, where the platform gives one, and what was read for the guest. */
export const lookAtMachine = (host: HostDependencies) =>
	hostAttempt(host, async (input: ActivityInput<'lookAtMachine'>, _call, { signal }): Promise<Seen> => {
		const { readBytes } = await drilledOnHost(host, input, signal);
		try {
			const { png, reason } = await host.supervisor.screenshot(input.name, { signal });
			return { screenshot: png, screenshotReason: reason, readBytes };
		} catch (error) {
			signal.throwIfAborted();
			return { screenshot: null, screenshotReason: asRouseError(error).message, readBytes };
		}
	});
