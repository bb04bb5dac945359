import type { HardwareRequest } from '../model/hardware-request.ts';
import type { RecoveryPlan } from '../model/recovery.ts';

/** What a host's platform is asked about a plan: the same of a recovery and of a dry run. */
export function hardwareRequest(plan: RecoveryPlan): HardwareRequest {
	const { config, had, nics, forwards, disks, platformOptions: options } = plan;
	const diskSizesBytes = disks.map(({ sizeBytes }) => sizeBytes);
	return { config, ...(had ? { had } : {}), nics, ...(forwards ? { forwards } : {}), diskSizesBytes, options };
}
