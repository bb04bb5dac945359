/**
 * Networks of the host that a machine is on as if by a cable: `bridge:NAME`, a Linux bridge, and `macvtap:NAME`, an interface
 * that it shares where there is no bridge.
 */
import { readFile } from 'node:fs/promises';
import { RouseError } from '../../model/errors.ts';
import { capability, hasCapability } from '../../system/capabilities.ts';
import { exists } from '../../system/if-there.ts';
import { type HostInterface, interfacesOfHost, kernelHasMacvtap } from '../../system/shareable-interfaces.ts';
import { makeTap, removeTap, type Tap, tapName } from '../../system/taps.ts';
import type { HostReport, MachineDefinition } from '../contract.ts';
import { refuseAddressesTaken, takeLeftAddresses } from './address-in-use.ts';
import { isRoot } from './confinement.ts';
import { type Outside, outsideOf, targetOf } from './network-target.ts';
import { isolatedUserNetwork, userNetwork } from './user-network.ts';

export interface Networks {
	/** Beside `none`. */
	offered: HostReport['networks'];
	/** Why a kind is not among them; undefined when nothing stands in the way of any. */
	missing: string | undefined;
	/** Why one that somebody may well ask for is not among them, and what is there instead, by its target. */
	instead: Readonly<Record<string, string>>;
}

export const userAlone: Networks = { offered: [userNetwork, isolatedUserNetwork], missing: undefined, instead: {} };

/** What stands in the way of each kind; undefined when nothing does. */
export type MissingForTaps = Record<Outside['kind'], string | undefined>;

/** Looked at each time: interfaces may come and go while the supervisor runs. */
export async function networksOfHost(
	missingOnHost: () => Promise<MissingForTaps> = missingForTaps,
	lookAround: () => Promise<HostInterface[]> = interfacesOfHost,
): Promise<Networks> {
	const missing = await missingOnHost();
	const why = [...new Set([missing.bridge, missing.macvtap].filter(each => each !== undefined))].join('; ');
	const mayHave = ({ kind }: Outside) => missing[kind] === undefined;
	const all = (await lookAround()).filter(
		({ name }) => outsideOf(targetOf({ kind: 'bridge', on: name })) !== undefined,
	);
	const offered = all.map(offerOf).filter(each => each !== undefined);
	return {
		offered: [
			userNetwork,
			isolatedUserNetwork,
			...offered
				.filter(mayHave)
				.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))
				.map(each => ({ name: targetOf(each), description: descriptions[each.kind](each.on) })),
		],
		missing: why === '' ? undefined : why,
		instead: Object.fromEntries(all.flatMap(each => insteadOf(each, mayHave))),
	};
}

const descriptions: Record<Outside['kind'], (on: string) => string> = {
	bridge: on => `the bridge ${on} of this host: the machine is on it with its own address, as if by a cable`,
	macvtap: on =>
		`the interface ${on} of this host, shared: the machine is behind it with its own address; this host itself does not reach it`,
};

function offerOf({ kind, name }: HostInterface): Outside | undefined {
	if (kind === 'other') return undefined;
	return { kind: kind === 'bridge' ? 'bridge' : 'macvtap', on: name };
}

/** For the targets that name an interface and are not offered. */
function insteadOf(found: HostInterface, mayHave: (offer: Outside) => boolean): [target: string, why: string][] {
	const { name, kind, master, masterIsBridge, why } = found;
	const target = (of: Outside['kind']) => targetOf({ kind: of, on: name });
	const offered = offerOf(found);
	const saying = (text: string, offer: Outside | undefined) =>
		offer !== undefined && mayHave(offer) ? `${text}: ${targetOf(offer)}` : text;
	if (kind === 'bridge') return [[target('macvtap'), saying(`${name} is a bridge`, offered)]];
	if (kind === 'shareable') return [[target('bridge'), saying(`${name} is no bridge`, offered)]];
	const onMaster: Outside | undefined =
		masterIsBridge && master !== undefined ? { kind: 'bridge', on: master } : undefined;
	const text = onMaster ? saying(`${name} is a port of the bridge ${master}`, onMaster) : `${name} ${why}`;
	return [
		[target('macvtap'), text],
		[target('bridge'), onMaster ? text : `${name} is no bridge, and ${why}`],
	];
}

/** Containers often take the last three. */
async function missingForTaps(): Promise<MissingForTaps> {
	const both = (why: string) => ({ bridge: why, macvtap: why });
	if (!isRoot()) return both('bridge and macvtap are only for a Rouse that is root, since it makes interfaces');
	if (!hasCapability(await readFile('/proc/self/status', 'utf8'), capability.netAdmin))
		return both('bridge and macvtap need the capability CAP_NET_ADMIN, which this root does not have');
	return {
		bridge: (await exists('/dev/net/tun')) ? undefined : 'bridges need /dev/net/tun, which is not here: modprobe tun',
		macvtap: (await kernelHasMacvtap())
			? undefined
			: 'macvtap needs the driver of that name, which the kernel does not have',
	};
}

/** One for each NIC on a network of the host. */
export function tapsOf({ recoveryId, nics, directory }: MachineDefinition, owner: number): Tap[] {
	return nics.flatMap(({ target, mac }, index) => {
		const outside = outsideOf(target);
		return outside === undefined ? [] : [{ name: tapName(recoveryId, index), ...outside, owner, mac, directory }];
	});
}

/** Before QEMU starts, which opens them as `owner`, or has them opened; for one that runs they are put right. */
export async function makeTaps(
	definition: MachineDefinition,
	owner: () => Promise<number>,
	{ running }: { running: boolean },
): Promise<void> {
	const { nics, recoveryId, machineName } = definition;
	const wanted = nics.filter(({ target }) => outsideOf(target) !== undefined).map(({ target }) => target);
	if (wanted.length === 0) return;
	if (!isRoot())
		throw new RouseError(
			'machine_failed',
			`${machineName} is on ${wanted.join(', ')}, and only root may put it there`,
			{
				hint: 'run Rouse as root, or recover the machine anew with --network SRC=user',
			},
		);
	await takeLeftAddresses(nics, recoveryId);
	await refuseAddressesTaken(nics, recoveryId);
	for (const tap of tapsOf(definition, await owner())) await makeTap(tap, { running });
}

export async function removeTaps(definition: MachineDefinition): Promise<void> {
	for (const { name, directory } of tapsOf(definition, 0)) await removeTap(name, directory);
}
