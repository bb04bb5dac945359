import type { PlannedNic } from '../../model/recovery.ts';
import { neighboursOn } from '../../system/bridge-neighbours.ts';
import { tapName } from '../../system/taps.ts';
import { bridgeOf } from './bridge-target.ts';

/**
 * Of a machine's MAC addresses those that somebody else has on the same bridge, a sentence each. Only who has sent something
 * within the bridge's ageing time is known to it. `recoveryId`: of a machine that is there, whose own taps are not meant.
 */
export async function addressesInUse(nics: readonly PlannedNic[], recoveryId?: string): Promise<string[]> {
	const found = nics.map(async ({ mac, target }, index) => {
		const bridge = bridgeOf(target);
		if (bridge === undefined) return [];
		const own = recoveryId === undefined ? undefined : tapName(recoveryId, index);
		const others = (await neighboursOn(bridge)).filter(other => other.mac === mac && other.port !== own);
		return others.slice(0, 1).map(({ port, local }) => {
			const who = local ? `the interface ${port} itself` : `somebody behind ${port}`;
			return (
				`the MAC address ${mac} is in use on the bridge ${bridge}, by ${who}: each of the two gets what is meant for the ` +
				'other. Where the original is to live on, recover with --new-mac'
			);
		});
	});
	return (await Promise.all(found)).flat();
}
