/** Networks `bridge:NAME`: a Linux bridge of the host, on which the machine is as if by a cable. */
import { RouseError } from '../../model/errors.ts';
import { bridgesOnHost } from '../../system/bridges.ts';
import { makeTap, removeTap, type Tap, tapName } from '../../system/taps.ts';
import type { HostReport, MachineDefinition } from '../contract.ts';
import { bridgeOf, bridgeTarget } from './bridge-target.ts';
import { isRoot } from './confinement.ts';
import { userNetwork } from './user-network.ts';

export interface Networks {
	/** Beside `none`. */
	offered: HostReport['networks'];
	/** Why bridges are not among them; undefined when nothing stands in the way of one. */
	withoutBridges: string | undefined;
}

export const userAlone: Networks = { offered: [userNetwork], withoutBridges: undefined };

/** Looked at each time: a bridge may come and go while the supervisor runs. */
export async function networksOfHost(root = isRoot()): Promise<Networks> {
	if (!root) return { ...userAlone, withoutBridges: 'bridges are only for a Rouse that is root, since it makes taps' };
	const bridges = (await bridgesOnHost()).filter(name => bridgeOf(bridgeTarget(name)) !== undefined);
	const offered = bridges.map(name => ({
		name: bridgeTarget(name),
		description: `the bridge ${name} of this host: the machine is on it with its own address, as if by a cable`,
	}));
	return { offered: [userNetwork, ...offered], withoutBridges: undefined };
}

/** One for each NIC on a bridge. */
export function tapsOf({ recoveryId, nics, directory }: MachineDefinition, owner: number): Tap[] {
	return nics.flatMap(({ target, mac }, index) => {
		const bridge = bridgeOf(target);
		return bridge === undefined ? [] : [{ name: tapName(recoveryId, index), owner, bridge, mac, directory }];
	});
}

/** Before QEMU starts, which opens them as `owner`; for one that runs they are put right. */
export async function makeTaps(definition: MachineDefinition, owner: () => Promise<number>): Promise<void> {
	if (!definition.nics.some(({ target }) => bridgeOf(target) !== undefined)) return;
	if (!isRoot())
		throw new RouseError('machine_failed', `${definition.machineName} is on a bridge, and only root may put it there`, {
			hint: 'run Rouse as root, or recover the machine anew with --network SRC=user',
		});
	for (const tap of tapsOf(definition, await owner())) await makeTap(tap);
}

export async function removeTaps(definition: MachineDefinition): Promise<void> {
	for (const { name } of tapsOf(definition, 0)) await removeTap(name);
}
