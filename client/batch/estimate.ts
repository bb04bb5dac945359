/** How long a batch may take. Pure. */
import type { BatchPlan } from '../../model/batch.ts';
import { dataBytesOf } from './demand.ts';
import { hostsOf } from './conflicts.ts';
import { assumed, type Places, playThrough } from './play-through.ts';
import type { WantedItem } from './expand.ts';

export interface Estimate {
	/** Until the last machine is ready that gets its turn. */
	readyMs: number;
	/** The same if every check passed in its last moment. */
	readyAtMostMs: number;
	/** How many get no place on a host before somebody finishes, or gives back, one that has. */
	withoutPlace: number;
	/** What most of the waiting is for, besides groups: `window`, or places as `host/kvm1/recoveries`; null when nothing waits. */
	bound: string | null;
	/** Until all data that migrates by itself is local; null when none does, or one that should gets no place. */
	localMs: number | null;
	assumed: typeof assumed;
}

/** By the window, the groups, the places of hosts and the sizes: what the broker makes wait for else comes on top. */
export function estimateOf(
	{ window, groups }: Pick<BatchPlan, 'window' | 'groups'>,
	items: readonly WantedItem[],
	places: Places,
): Estimate {
	const lasting = (check: (item: WantedItem) => number) => (item: WantedItem) => assumed.startMs + check(item);
	const expected = lasting(({ request }) => (request.readiness === undefined ? 0 : assumed.readyMs));
	const atMost = lasting(({ request }) => request.readiness?.timeoutMs ?? 0);
	const { readyMs, withoutPlace, bound } = playThrough({ window, groups, places }, items, expected);
	const latest = playThrough({ window, groups, places }, items, atMost);
	const copyMs = untilLocal(items);
	return {
		readyMs,
		readyAtMostMs: Math.max(readyMs, latest.readyMs),
		withoutPlace,
		bound,
		localMs: copyMs === null || withoutPlace > 0 ? null : Math.max(readyMs, assumed.startMs + copyMs),
		assumed,
	};
}

/** The longest of what one host copies, pools spread evenly, and of what one machine does under its own limit. */
function untilLocal(items: readonly WantedItem[]): number | null {
	const migrating = items.filter(({ request }) => request.policy.finish === 'migrate');
	if (migrating.length === 0) return null;
	const perHost = new Map<string, number>();
	let slowestMs = 0;
	for (const item of migrating) {
		const hosts = hostsOf(item.request);
		const bytes = dataBytesOf(item);
		for (const host of hosts) perHost.set(host, (perHost.get(host) ?? 0) + bytes / hosts.length);
		const { maxRateBytes } = item.request.policy;
		if (maxRateBytes > 0) slowestMs = Math.max(slowestMs, (bytes / maxRateBytes) * 1_000);
	}
	return Math.ceil(Math.max(slowestMs, (Math.max(...perHost.values()) / assumed.copyBytesPerSecond) * 1_000));
}
