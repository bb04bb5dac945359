import { rebuilt } from './adopt.ts';
import type { BrokerEffect, Reduced } from './events.ts';
import { Ledger } from './ledger.ts';
import { sweep } from './liveness.ts';
import { grantOf, withWaiters } from './requests.ts';
import type { BrokerState, Lease, Waiter } from './state.ts';
import { brokerTimes } from './times.ts';
import { turns } from './turns.ts';

/** A round: all that can start starts. Then who is due is asked. */
export function tick(state: BrokerState, atMs: number): Reduced {
	if (!rebuilt(state, atMs)) return sweep(state, atMs);
	const granted = grantAll(state.rebuilding ? { ...state, rebuilding: null } : state, atMs);
	const swept = sweep(granted.state, atMs);
	return { state: swept.state, effects: [...granted.effects, ...swept.effects] };
}

/** When the next tick is due although nothing happens; null when nothing is to come of time alone. */
export function nextTickMs({ rebuilding, waiters, asked }: BrokerState): number | null {
	const times: number[] = [];
	if (rebuilding?.listed) times.push(rebuilding.sinceMs + brokerTimes.rebuild);
	if (waiters.size > 0) times.push(asked.atMs + brokerTimes.sweep);
	return times.length === 0 ? null : Math.min(...times);
}

function grantAll(state: BrokerState, atMs: number): Reduced {
	const ledger = new Ledger(state, atMs);
	const granted: Lease[] = [];
	const changed: Waiter[] = [];
	let { lastToken } = state;
	for (const { waiter, placement } of turns(state, ledger)) {
		if (placement?.startMs === atMs) {
			// Above the time as well, so that a broker which has lost its state does not begin below what targets have seen.
			lastToken = Math.max(lastToken + 1, atMs);
			granted.push(leaseOf(waiter, placement.host, lastToken, atMs));
			continue;
		}
		const reservesOn = placement?.host ?? null;
		if (reservesOn !== waiter.reservesOn) changed.push({ ...waiter, reservesOn });
	}
	const next = withWaiters(state, changed);
	if (granted.length === 0) return { state: next, effects: [] };
	const [leases, waiters] = [new Map(next.leases), new Map(next.waiters)];
	for (const lease of granted) {
		waiters.delete(lease.requestId);
		leases.set(lease.requestId, lease);
	}
	const effects: BrokerEffect[] = granted.map(grantOf);
	return { state: { ...next, leases, waiters, lastToken }, effects };
}

function leaseOf({ requestId, request, seq }: Waiter, host: string | null, token: number, atMs: number): Lease {
	return { requestId, request, seq, host, token, grantedMs: atMs, maybeKnown: false, onHost: false, orphanedMs: null };
}
