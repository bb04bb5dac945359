/** Networks `bridge:NAME`: a Linux bridge of the host, on which the machine is as if by a cable. */
import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { bridgesOnHost } from '../../system/bridges.ts';
import { makeTap, removeTap, type Tap, tapName } from '../../system/taps.ts';
import type { HostReport, MachineDefinition } from '../contract.ts';
import { bridgeOf, bridgeTarget } from './bridge-target.ts';
import { isRoot } from './confinement.ts';
import { exists } from '../../system/if-there.ts';
import { userNetwork } from './user-network.ts';

export interface Networks {
	/** Beside `none`. */
	offered: HostReport['networks'];
	/** Why bridges are not among them; undefined when nothing stands in the way of one. */
	withoutBridges: string | undefined;
}

export const userAlone: Networks = { offered: [userNetwork], withoutBridges: undefined };

/** Looked at each time: a bridge may come and go while the supervisor runs. */
export async function networksOfHost(missing: () => Promise<string | undefined> = missingForTaps): Promise<Networks> {
	const withoutBridges = await missing();
	if (withoutBridges !== undefined) return { ...userAlone, withoutBridges };
	const bridges = (await bridgesOnHost()).filter(name => bridgeOf(bridgeTarget(name)) !== undefined);
	const offered = bridges.map(name => ({
		name: bridgeTarget(name),
		description: `the bridge ${name} of this host: the machine is on it with its own address, as if by a cable`,
	}));
	return { offered: [userNetwork, ...offered], withoutBridges: undefined };
}

/** What stands in the way of a tap; undefined when nothing does. Containers often take one of the last two. */
async function missingForTaps(): Promise<string | undefined> {
	if (!isRoot()) return 'bridges are only for a Rouse that is root, since it makes taps';
	if (!(await exists('/dev/net/tun'))) return 'bridges need /dev/net/tun, which is not here: modprobe tun';
	if (!mayChangeNetworks(await readFile('/proc/self/status', 'utf8')))
		return 'bridges need the capability CAP_NET_ADMIN, which this root does not have';
	return undefined;
}

/** CAP_NET_ADMIN is the twelfth: include/uapi/linux/capability.h. `status`: as proc(5) has it. */
export function mayChangeNetworks(status: string): boolean {
	const effective = /^CapEff:\s*([\da-f]+)$/m.exec(status)?.[1] ?? '0';
	return ((BigInt(`0x${effective}`) >> 12n) & 1n) === 1n;
}

/** One for each NIC on a bridge. */
export function tapsOf({ recoveryId, nics, directory }: MachineDefinition, owner: number): Tap[] {
	return nics.flatMap(({ target, mac }, index) => {
		const bridge = bridgeOf(target);
		return bridge === undefined ? [] : [{ name: tapName(recoveryId, index), owner, bridge, mac, directory }];
	});
}

/** Before QEMU starts, which opens them as `owner`; for one that runs they are put right. */
export async function makeTaps(
	definition: MachineDefinition,
	owner: () => Promise<number>,
	{ running }: { running: boolean },
): Promise<void> {
	if (!definition.nics.some(({ target }) => bridgeOf(target) !== undefined)) return;
	if (!isRoot())
		throw new RouseError('machine_failed', `${definition.machineName} is on a bridge, and only root may put it there`, {
			hint: 'run Rouse as root, or recover the machine anew with --network SRC=user',
		});
	for (const tap of tapsOf(definition, await owner())) await makeTap(tap, { running });
}

export async function removeTaps(definition: MachineDefinition): Promise<void> {
	for (const { name, directory } of tapsOf(definition, 0)) await removeTap(name, directory);
}
