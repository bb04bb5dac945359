/** How long a batch may take. Pure. */
import type { BatchPlan } from '../../model/batch.ts';
import { dataBytesOf } from './demand.ts';
import { hostsOf } from './conflicts.ts';
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

export interface Estimate {
	/** Until the last machine is ready. */
	readyMs: number;
	/** The same if every check passed in its last moment. */
	readyAtMostMs: number;
	/** Until all data that migrates by itself is local; null when none does. */
	localMs: number | null;
	assumed: typeof assumed;
}

/** By the window, the groups and the sizes alone: what the broker makes wait comes on top. */
export function estimateOf(
	{ window, groups }: Pick<BatchPlan, 'window' | 'groups'>,
	items: readonly WantedItem[],
): Estimate {
	const lasting = (check: (item: WantedItem) => number) => (item: WantedItem) => assumed.startMs + check(item);
	const expected = lasting(({ request }) => (request.readiness === undefined ? 0 : assumed.readyMs));
	const atMost = lasting(({ request }) => request.readiness?.timeoutMs ?? 0);
	const readyMs = untilReady(groups, items, { window, lasts: expected });
	const copyMs = untilLocal(items);
	return {
		readyMs,
		readyAtMostMs: Math.max(readyMs, untilReady(groups, items, { window, lasts: atMost })),
		localMs: copyMs === null ? null : Math.max(readyMs, assumed.startMs + copyMs),
		assumed,
	};
}

/** Each machine in its turn into the place that is free first, not before the groups before it are ready. */
function untilReady(
	groups: BatchPlan['groups'],
	items: readonly WantedItem[],
	{ window, lasts }: { window: number; lasts: (item: WantedItem) => number },
): number {
	const places = Array.from({ length: Math.min(window, items.length) }, () => 0);
	const readyAt = new Map<string, number>();
	for (const group of wavesOf(groups).flat()) {
		const from = Math.max(0, ...group.after.map(name => readyAt.get(name) ?? 0));
		let ready = from;
		for (const item of items.filter(one => one.group === group.name)) {
			const place = places.indexOf(Math.min(...places));
			const end = Math.max(from, places[place] ?? 0) + lasts(item);
			places[place] = end;
			ready = Math.max(ready, end);
		}
		readyAt.set(group.name, ready);
	}
	return Math.max(0, ...readyAt.values());
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
