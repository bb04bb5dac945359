import { RouseError } from '../../model/errors.ts';
import type { PlannedNic } from '../../model/recovery.ts';
import { neighboursOn } from '../../system/bridge-neighbours.ts';
import { isLeft } from '../../system/found-taps.ts';
import { answeredFrom } from '../../system/neighbour-table.ts';
import { sharersWith } from '../../system/shareable-interfaces.ts';
import { removeLeftTap, tapName } from '../../system/taps.ts';
import { outsideOf } from './network-target.ts';

/**
 * Of a machine's MAC addresses those that somebody else has on the same network, a sentence each. A bridge knows only who has
 * sent something within its ageing time; of an interface that is shared only those are known with whom the host itself has
 * talked. `recoveryId`: of a machine that is there, whose own taps are not meant.
 */
export async function addressesInUse(nics: readonly PlannedNic[], recoveryId?: string): Promise<string[]> {
	const found = nics.map(async ({ mac, target }, index) => {
		const outside = outsideOf(target);
		if (outside === undefined) return undefined;
		const own = recoveryId === undefined ? undefined : tapName(recoveryId, index);
		return outside.kind === 'bridge' ? onBridge(outside.on, mac, own) : beyond(outside.on, mac);
	});
	return (await Promise.all(found)).filter(each => each !== undefined);
}

const consequence =
	'each of the two gets what is meant for the other. Where the original is to live on, recover with --new-mac';

async function onBridge(bridge: string, mac: string, own: string | undefined): Promise<string | undefined> {
	const [other] = (await neighboursOn(bridge)).filter(each => each.mac === mac && each.port !== own);
	if (other === undefined) return undefined;
	const who = other.local ? `the interface ${other.port} itself` : `somebody behind ${other.port}`;
	return `the MAC address ${mac} is in use on the bridge ${bridge}, by ${who}: ${consequence}`;
}

async function beyond(on: string, mac: string): Promise<string | undefined> {
	const [address] = await answeredFrom(on, mac);
	if (address === undefined) return undefined;
	return `the MAC address ${mac} is in use behind ${on}, by ${address}: ${consequence}`;
}

/**
 * The kernel gives an address on a shared interface to one alone: `precheck_failed` where somebody on this host has it. A
 * machine that is off is nobody: see {@link takeLeftAddresses}.
 */
export async function refuseAddressesTaken(nics: readonly PlannedNic[], recoveryId?: string): Promise<void> {
	for await (const { mac, on, name } of othersWithAddresses(nics, recoveryId)) {
		if (await isLeft(name)) continue;
		throw new RouseError(
			'precheck_failed',
			`the MAC address ${mac} is that of the interface ${name} of this host: on ${on} only one can have it`,
			{ hint: 'end the machine that has it, or recover with --new-mac' },
		);
	}
}

/** From what machines have left that are off. */
export async function takeLeftAddresses(nics: readonly PlannedNic[], recoveryId: string): Promise<void> {
	for await (const { name } of othersWithAddresses(nics, recoveryId)) await removeLeftTap(name);
}

async function* othersWithAddresses(nics: readonly PlannedNic[], recoveryId: string | undefined) {
	for (const [index, { mac, target }] of nics.entries()) {
		const outside = outsideOf(target);
		if (outside?.kind !== 'macvtap') continue;
		const own = recoveryId === undefined ? undefined : tapName(recoveryId, index);
		const { on } = outside;
		for (const name of await sharersWith(on, mac)) if (name !== own) yield { mac, on, name };
	}
}
