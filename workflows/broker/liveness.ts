import type { Holder } from '../../model/broker.ts';
import type { BrokerEffect, Reduced } from './events.ts';
import { end, withLease } from './requests.ts';
import type { BrokerState, Lease, Waiter } from './state.ts';
import { askedAtOnce, brokerTimes } from './times.ts';

/**
 * Leases do not expire: a holder whose worker is away is as alive as one that works, and what it started runs on. So
 * while somebody waits, holders are asked whether they are open, a part of them each time, and hosts what became of the
 * leases of those that are not.
 */
export function sweep(state: BrokerState, atMs: number): Reduced {
	if (state.waiters.size === 0 || atMs < state.asked.atMs + brokerTimes.sweep) return { state, effects: [] };
	const { asked, upTo } = nextAsked(state);
	const effects: BrokerEffect[] = [{ type: 'ask-holders', holders: distinct(asked) }];
	const orphans = [...state.leases.values()].filter(lease => lease.orphanedMs !== null);
	return { state: { ...state, asked: { atMs, upTo } }, effects: [...effects, ...askHosts(state, orphans)] };
}

/** A closed holder's request is withdrawn; its lease waits for the word of its host. */
export function holdersClosed(state: BrokerState, holders: readonly Holder[], atMs: number): Reduced {
	const closed = new Set(holders.map(keyOf));
	const over: string[] = [];
	const orphans: Lease[] = [];
	for (const waiter of state.waiters.values()) {
		if (closed.has(keyOf(waiter.request.holder))) over.push(waiter.requestId);
	}
	for (const lease of state.leases.values()) {
		if (!closed.has(keyOf(lease.request.holder))) continue;
		if (lease.host === null) over.push(lease.requestId);
		else if (lease.orphanedMs === null) orphans.push({ ...lease, orphanedMs: atMs });
	}
	const next = orphans.reduce(withLease, end(state, over));
	return { state: next, effects: askHosts(next, orphans) };
}

/** Believed only for a holder that is closed: an open one may be about to begin. */
export function hostConfirmed(state: BrokerState, host: string, requestId: string): BrokerState {
	const lease = state.leases.get(requestId);
	return lease?.host === host && lease.orphanedMs !== null ? end(state, [requestId]) : state;
}

/** The only message about a grant met nobody: nothing was done with it. Of several, one may have been heard. */
export function undelivered(
	state: BrokerState,
	{ requestId, token, once }: { requestId: string; token: number; once: boolean },
	atMs: number,
): Reduced {
	const lease = state.leases.get(requestId);
	if (!lease || lease.token !== token) return { state, effects: [] };
	if (lease.maybeKnown || !once) return holdersClosed(state, [lease.request.holder], atMs);
	return { state: end(state, [requestId]), effects: [] };
}

/** In turn by `seq`, and from the beginning when the end is reached. */
function nextAsked(state: BrokerState): { asked: (Waiter | Lease)[]; upTo: number } {
	const all = [...state.leases.values(), ...state.waiters.values()]
		.filter(taken => !('orphanedMs' in taken) || taken.orphanedMs === null)
		.toSorted((one, other) => one.seq - other.seq);
	const from = all.findIndex(({ seq }) => seq > state.asked.upTo);
	const asked = all.slice(Math.max(0, from), Math.max(0, from) + askedAtOnce);
	return { asked, upTo: asked.at(-1)?.seq ?? 0 };
}

function distinct(taken: readonly (Waiter | Lease)[]): Holder[] {
	return [...new Map(taken.map(({ request: { holder } }) => [keyOf(holder), holder])).values()];
}

/** One that has never reported cannot be asked: its leases wait until it does. */
function askHosts({ reporters }: BrokerState, orphans: readonly Lease[]): BrokerEffect[] {
	const byHost = new Map<string, string[]>();
	for (const { host, requestId } of orphans) {
		if (host !== null) byHost.set(host, [...(byHost.get(host) ?? []), requestId]);
	}
	return [...byHost].flatMap(([host, requestIds]) => {
		const hostId = reporters.get(`host/${host}`)?.hostId ?? null;
		return hostId === null ? [] : [{ type: 'ask-host' as const, host, hostId, requestIds }];
	});
}

function keyOf({ workflowId, firstRunId }: Holder): string {
	return `${workflowId}/${firstRunId}`;
}
