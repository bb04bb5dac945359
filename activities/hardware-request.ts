import type { RecoveryPlan } from '../model/recovery.ts';
import type { HardwareRequest } from '../supervisor/protocol.ts';

/** What a host's platform is asked about a plan: the same of a recovery and of a dry run. */
export function hardwareRequest({ config, had, nics, forwards, platformOptions }: RecoveryPlan): HardwareRequest {
	return { config, ...(had ? { had } : {}), nics, ...(forwards ? { forwards } : {}), options: platformOptions };
}
