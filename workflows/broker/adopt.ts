import { type HeldLease, requestIdOf } from '../../model/broker.ts';
import type { BrokerEffect, Reduced } from './events.ts';
import { grantOf } from './requests.ts';
import type { BrokerState, Lease } from './state.ts';
import { brokerTimes } from './times.ts';

/**
 * What is held is held, also above a capacity and beyond the broker's own room: it counts from here on, and nothing is
 * granted on top of it. A request that waits here and is held there has been granted by a broker that was lost.
 */
export function adopt(state: BrokerState, held: readonly HeldLease[], atMs: number): Reduced {
	const [leases, waiters] = [new Map(state.leases), new Map(state.waiters)];
	const effects: BrokerEffect[] = [];
	let { lastSeq, lastToken } = state;
	for (const { request, host, token } of held) {
		const requestId = requestIdOf(request);
		lastToken = Math.max(lastToken, token);
		if (leases.has(requestId) || state.ended.has(requestId)) continue;
		const waiter = waiters.get(requestId);
		const lease: Lease = {
			requestId,
			request,
			seq: waiter?.seq ?? (lastSeq += 1),
			host,
			token,
			grantedMs: atMs,
			maybeKnown: true,
			onHost: false,
			orphanedMs: null,
		};
		leases.set(requestId, lease);
		if (waiters.delete(requestId)) effects.push(grantOf(lease));
	}
	return { state: { ...state, leases, waiters, lastSeq, lastToken }, effects };
}

/** What open recoveries and imports hold, those on hosts that are silent included. */
export function listed(state: BrokerState, held: readonly HeldLease[], atMs: number): Reduced {
	const { rebuilding } = state;
	// A list that was asked for in an earlier rebuilding may have leases that were released since.
	if (!rebuilding) return { state, effects: [] };
	return adopt({ ...state, rebuilding: { ...rebuilding, listed: true } }, held, atMs);
}

/** Nothing is granted before. */
export function rebuilt({ rebuilding }: BrokerState, atMs: number): boolean {
	if (!rebuilding) return true;
	return rebuilding.listed && (rebuilding.silent.length === 0 || atMs >= rebuilding.sinceMs + brokerTimes.rebuild);
}
