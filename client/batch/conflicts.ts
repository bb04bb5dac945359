/** What of a batch cannot live side by side, among its machines and with what is on their hosts. Pure. */
import { leadsNowhere } from '../../model/isolated-network.ts';
import type { RecoveryView } from '../../supervisor/protocol.ts';
import type { WantedItem } from './expand.ts';

export interface Conflict {
	kind: 'machine_name' | 'mac' | 'machine';
	/** Recoveries of the batch that it is about. */
	items: string[];
	text: string;
}

/** What a host has already: recoveries and finished machines. */
export interface Occupied {
	host: string;
	views: readonly Pick<RecoveryView, 'name' | 'machineName' | 'state' | 'nics' | 'power'>[];
}

/**
 * Names of machines on the same host, MAC addresses on networks that lead somewhere, and one original in two places. Names
 * of recoveries are a matter of the expansion, and the UUID of a machine is that of its recovery: never the same twice.
 * A conflict of addresses is no refusal: each may be on a network of its own. A drill's machines have none: nobody hears them.
 */
export function conflictsOf(items: readonly WantedItem[], occupied: readonly Occupied[]): Conflict[] {
	return [...amongItems(items), ...items.flatMap(item => withHosts(item, occupied))];
}

function amongItems(items: readonly WantedItem[]): Conflict[] {
	const found: Conflict[] = [];
	const say = (kind: Conflict['kind'], claims: Iterable<[string, WantedItem[]]>, text: (what: string) => string) => {
		for (const [what, claimants] of claims) {
			if (claimants.length < 2) continue;
			const names = claimants.map(({ request }) => request.name);
			found.push({ kind, items: names, text: `${text(what)}: ${names.join(', ')}` });
		}
	};
	const byName = claimed(items, ({ request }) => [request.machineName]);
	for (const [name, claimants] of byName) if (!meetSomewhere(claimants)) byName.delete(name);
	say('machine_name', byName, name => `one name ${name} on the same host`);
	say('mac', claimed(items, macsOf), mac => `one MAC address ${mac}`);
	say(
		'machine',
		claimed(items, ({ point }) => [point.machine]),
		machine => `one original ${machine}`,
	);
	return found;
}

function claimed(items: readonly WantedItem[], of: (item: WantedItem) => readonly string[]): Map<string, WantedItem[]> {
	const claims = new Map<string, WantedItem[]>();
	for (const item of items) for (const what of new Set(of(item))) claims.set(what, [...(claims.get(what) ?? []), item]);
	return claims;
}

/** Whether two of them may come to be on one host. */
function meetSomewhere(items: readonly WantedItem[]): boolean {
	const hosts = items.flatMap(({ request }) => hostsOf(request));
	return new Set(hosts).size < hosts.length;
}

export function hostsOf({ host, pool }: WantedItem['request']): string[] {
	return pool?.map(place => place.host) ?? [host];
}

/** Those that will be heard: of a NIC whose network leads somewhere, unless it gets a new one. */
function macsOf({ request: { newMac, networks, drill }, point }: WantedItem): string[] {
	if (newMac || drill) return [];
	const leads = (network: string) => Object.hasOwn(networks, network) && !leadsNowhere(networks[network] ?? 'none');
	return point.config.nics.filter(({ network }) => leads(network)).map(({ mac }) => mac);
}

function withHosts(item: WantedItem, occupied: readonly Occupied[]): Conflict[] {
	const { name, machineName } = item.request;
	const hosts = hostsOf(item.request);
	const macs = macsOf(item);
	const found: Conflict[] = [];
	for (const { host, views } of occupied)
		for (const view of views) {
			// Its own recovery, which it will be attached to.
			if (view.name === name || view.state === 'discarded') continue;
			const add = (kind: Conflict['kind'], text: string) => found.push({ kind, items: [name], text });
			if (view.machineName === machineName && hosts.includes(host))
				add('machine_name', `${name}: ${host} has a machine ${machineName} already (${view.name})`);
			const heard = view.nics.find(({ mac, target }) => !leadsNowhere(target) && macs.includes(mac));
			if (heard) add('mac', `${name}: ${view.name} on ${host} has its MAC address ${heard.mac}`);
		}
	return found;
}
