import type { HardwareRequest } from '../model/hardware-request.ts';
import type { RecoveryPlan } from '../model/recovery.ts';

/** What a host's platform is asked about a plan: the same of a recovery and of a dry run. */
export function hardwareRequest(plan: RecoveryPlan): HardwareRequest {
	const { config, had, nics, forwards, disks, platformOptions: options, drill } = plan;
	const diskSizesBytes = disks.map(({ sizeBytes }) => sizeBytes);
	const more = { ...(had ? { had } : {}), ...(forwards ? { forwards } : {}), ...(drill ? { isolated: true } : {}) };
	return { config, nics, diskSizesBytes, options, ...more };
}
