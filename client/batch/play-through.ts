/** A batch, played through without any machine: when each gets its turn. Pure. */
import type { BatchPlan } from '../../model/batch.ts';
import { hostsOf } from './conflicts.ts';
import { dataBytesOf } from './demand.ts';
import type { WantedItem } from './expand.ts';
import { wavesOf } from './waves.ts';

/** What nobody knows before: so a plan says what it took for granted. */
export const assumed = {
	/** From its turn to power-on. */
	startMs: 20_000,
	/** From power-on to a check that passes, where there is one. */
	readyMs: 60_000,
	/** Onto one host, by all copies there. */
	copyBytesPerSecond: 100 * 2 ** 20,
} as const;

/** By host, how many recoveries of this batch it has room for. A host of which that is not known is in the way of nobody. */
export type Places = ReadonlyMap<string, number>;

interface Bounds extends Pick<BatchPlan, 'window' | 'groups'> {
	places: Places;
}

interface Played {
	readyMs: number;
	withoutPlace: number;
	bound: string | null;
}

/** A host: when each of its places is free, and when all is copied that was begun there. */
interface PlayedHost {
	resource: string;
	freeAt: number[];
	copiedMs: number;
}

/** Each machine in its turn into the place that is free first, not before the groups before it are ready. */
export function playThrough(
	{ window, groups, places }: Bounds,
	items: readonly WantedItem[],
	lasts: (item: WantedItem) => number,
): Played {
	const windowFreeAt = Array.from({ length: Math.min(window, items.length) }, () => 0);
	const hosts = new Map<string, PlayedHost>();
	const readyAt = new Map<string, number>();
	const waited = new Map<string, number>();
	let withoutPlace = 0;
	for (const group of wavesOf(groups).flat()) {
		const from = Math.max(0, ...group.after.map(name => readyAt.get(name) ?? 0));
		let ready = from;
		for (const item of items.filter(one => one.group === group.name)) {
			const host = soonest(hostsOf(item.request).map(name => hostNamed(name, items.length)));
			const place = earliest(host.freeAt);
			const slot = earliest(windowFreeAt);
			const [placeMs, windowMs] = [host.freeAt[place] ?? Infinity, windowFreeAt[slot] ?? Infinity];
			const startMs = Math.max(from, placeMs, windowMs);
			const [bound, untilMs] = placeMs > windowMs ? [host.resource, placeMs] : ['window', windowMs];
			if (untilMs > from) waited.set(bound, (waited.get(bound) ?? 0) + untilMs - from);
			if (startMs === Infinity) {
				withoutPlace += 1;
				continue;
			}
			const end = startMs + lasts(item);
			windowFreeAt[slot] = end;
			host.freeAt[place] = leavesMs(item, host, end);
			ready = Math.max(ready, end);
		}
		readyAt.set(group.name, ready);
	}
	const [bound = null] = [...waited].toSorted(([, a], [, b]) => (a === b ? 0 : b - a)).map(([resource]) => resource);
	return { readyMs: Math.max(0, ...readyAt.values()), withoutPlace, bound };

	function hostNamed(name: string, most: number): PlayedHost {
		const length = Math.max(0, Math.min(places.get(name) ?? most, most));
		const known = hosts.get(name) ?? {
			resource: `host/${name}/recoveries`,
			freeAt: Array.from({ length }, () => 0),
			copiedMs: 0,
		};
		hosts.set(name, known);
		return known;
	}
}

/** A place is taken until the recovery is finished, which one that waits for a person is not by itself. */
function leavesMs(item: WantedItem, host: PlayedHost, readyMs: number): number {
	const { policy } = item.request;
	if (policy.finish !== 'migrate' || policy.switch !== 'auto') return Infinity;
	const bytes = dataBytesOf(item);
	host.copiedMs = Math.max(host.copiedMs, readyMs) + (bytes / assumed.copyBytesPerSecond) * 1_000;
	const alone = policy.maxRateBytes > 0 ? (bytes / policy.maxRateBytes) * 1_000 : 0;
	return Math.max(host.copiedMs, readyMs + alone);
}

function earliest(times: readonly number[]): number {
	return times.indexOf(Math.min(...times));
}

function soonest(hosts: readonly PlayedHost[]): PlayedHost {
	const freeMs = (host: PlayedHost) => Math.min(...host.freeAt);
	const [first, ...others] = hosts;
	if (first === undefined) throw new Error('a machine without a host');
	return others.reduce((best, host) => (freeMs(host) < freeMs(best) ? host : best), first);
}
