import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { Hardware } from '../../model/hardware.ts';
import { hardwareRequest } from '../hardware-request.ts';
import { type HostDependencies, hostAttempt } from '../host-attempt.ts';

/** Below the minute that an attempt has. A platform may have to find out first what its host can do. */
const timeoutMs = 45_000;

/** What the host's platform chooses for the planned machine. A question: it changes nothing, and needs no generation. */
export const chooseHardware = (host: HostDependencies) =>
	hostAttempt(
		host,
		({ plan }: ActivityInput<'chooseHardware'>, _call, { signal }): Promise<Hardware> =>
			host.supervisor.hardware(hardwareRequest(plan), { signal, timeoutMs }),
	);
