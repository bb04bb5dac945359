import { RouseError } from './errors.ts';
import type { PlannedNic } from './recovery.ts';

/**
 * A network that a host's platform makes for one machine, and that leads nowhere: nobody on it is the original, so the
 * machine may have that one's addresses.
 */
export const isolatedNetwork = 'isolated';

/** What is on it is heard by nobody. */
export function leadsNowhere(target: string): boolean {
	return target === 'none' || target === isolatedNetwork;
}

/** `config_invalid` for a machine that would be on anything further, which that of a drill must never be. */
export function mustLeadNowhere(nics: readonly Pick<PlannedNic, 'mac' | 'target'>[]): void {
	const further = nics.find(({ target }) => !leadsNowhere(target));
	if (further === undefined) return;
	throw new RouseError(
		'config_invalid',
		`NIC ${further.mac} is to be on "${further.target}": the machine of a drill is on no network that leads anywhere`,
		{ hint: `a drill's networks are "${isolatedNetwork}", which they are by themselves, or "none"` },
	);
}
