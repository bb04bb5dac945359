import { brokerLimits, type LeaseRequest, type Release, requestIdOf, stepBefore } from '../../model/broker.ts';
import type { BrokerEffect, Reasoned, Reduced, RefusalCode } from './events.ts';
import type { BrokerState, Lease, Waiter } from './state.ts';

/** Asked as often as its holder likes: until it is over, the same request waits once and is granted once. */
export function acquire(state: BrokerState, request: LeaseRequest): Reduced {
	const requestId = requestIdOf(request);
	const lease = state.leases.get(requestId);
	// Its holder has not heard of the grant, or has lost it.
	if (lease) return { state: withLease(state, { ...lease, maybeKnown: true }), effects: [grantOf(lease)] };
	if (state.waiters.has(requestId)) return { state, effects: [] };
	// Also when the release has overtaken the request.
	if (state.ended.has(requestId)) return refused(state, request, 'lease_ended');
	if (mayBeForgotten(state, request)) return refused(state, request, 'may_be_over');
	if (isFullFor(state, request)) return refused(state, request, 'broker_full');
	const seq = state.lastSeq + 1;
	const waiters = new Map(state.waiters).set(requestId, { requestId, request, seq, reservesOn: null });
	return { state: { ...state, waiters, lastSeq: seq }, effects: [] };
}

/** Who wants nothing of a host is no machine that is to run: however many of them wait, recoveries find room. */
function isFullFor({ waiters }: BrokerState, { hosts }: LeaseRequest): boolean {
	if (waiters.size >= brokerLimits.waiters) return true;
	if (hosts.length > 0) return false;
	const alike = [...waiters.values()].filter(({ request }) => request.hosts.length === 0);
	return alike.length >= brokerLimits.waitingWithoutHost;
}

/** A lease comes back, or a request is withdrawn. Once it is over it is not granted any more, whatever arrives late. */
export function release(state: BrokerState, { requestId, stays }: Release): BrokerState {
	const lease = state.leases.get(requestId);
	const next = end(state, [requestId]);
	if (!lease || lease.host === null || !stays) return next;
	const { host } = lease;
	// A host that has reported it already counts it as outside.
	if ((state.reporters.get(`host/${host}`)?.number ?? 0) > stays.afterReport) return next;
	return { ...next, staying: [...next.staying, { host, ...stays }] };
}

/**
 * Only a person does that: a holder that is closed is not enough, since what it started may still run. So what lasts of a
 * lease is charged until its host has reported again.
 */
export function forceRelease(state: BrokerState, requestId: string, { by, reason }: Reasoned): Reduced {
	const lease = state.leases.get(requestId);
	const taken = lease ?? state.waiters.get(requestId);
	if (!taken) return { state, effects: [] };
	const { holder } = taken.request;
	return {
		state: release(state, { requestId, stays: lease ? lastingOf(state, lease) : null }),
		effects: [{ type: 'revoke', holder, requestId, by, reason }],
	};
}

/** Of one that waits. Its age stays. */
export function prioritize(
	state: BrokerState,
	requestId: string,
	order: Pick<LeaseRequest, 'priority' | 'deadlineMs'>,
): BrokerState {
	const waiter = state.waiters.get(requestId);
	if (!waiter) return state;
	const { priority, deadlineMs } = order;
	return withWaiters(state, [{ ...waiter, request: { ...waiter.request, priority, deadlineMs } }]);
}

export function end(state: BrokerState, requestIds: readonly string[]): BrokerState {
	if (requestIds.length === 0) return state;
	const [leases, waiters, ended] = [new Map(state.leases), new Map(state.waiters), new Map(state.ended)];
	let { forgottenMs } = state;
	for (const requestId of requestIds) {
		const over = leases.get(requestId) ?? waiters.get(requestId);
		const sinceMs = over && isOverPool(over.request) ? over.request.sinceMs : 0;
		leases.delete(requestId);
		waiters.delete(requestId);
		ended.set(requestId, Math.max(sinceMs, ended.get(requestId) ?? 0));
	}
	for (const [oldest, sinceMs] of ended) {
		if (ended.size <= brokerLimits.ended) break;
		ended.delete(oldest);
		forgottenMs = Math.max(forgottenMs, sinceMs);
	}
	return { ...state, leases, waiters, ended, forgottenMs };
}

/**
 * It is not known here, and was asked for before one that is over and was forgotten: so it may have been had before, by a
 * history that was put back since, and one of its hosts may have its machine. A step whose last one is remembered as over is
 * the next of a recovery that goes on. Where there is one host alone, that host knows.
 */
function mayBeForgotten({ ended, forgottenMs }: BrokerState, request: LeaseRequest): boolean {
	if (!isOverPool(request) || request.sinceMs > forgottenMs) return false;
	const before = stepBefore(request.step);
	return before === null || !ended.has(requestIdOf({ holder: request.holder, step: before }));
}

function isOverPool({ hosts }: LeaseRequest): boolean {
	return hosts.length > 1;
}

export function withLease(state: BrokerState, lease: Lease): BrokerState {
	return { ...state, leases: new Map(state.leases).set(lease.requestId, lease) };
}

export function withWaiters(state: BrokerState, changed: readonly Waiter[]): BrokerState {
	if (changed.length === 0) return state;
	const waiters = new Map(state.waiters);
	for (const waiter of changed) waiters.set(waiter.requestId, waiter);
	return { ...state, waiters };
}

export function grantOf({ requestId, request: { holder }, host, token }: Lease): BrokerEffect {
	return { type: 'grant', holder, requestId, host, token };
}

function lastingOf(state: BrokerState, { host, request: { onHost, lasting } }: Lease): Release['stays'] {
	if (host === null || lasting.length === 0) return null;
	return {
		onHost: Object.fromEntries(lasting.map(kind => [kind, onHost[kind] ?? 0])),
		afterReport: state.reporters.get(`host/${host}`)?.number ?? 0,
	};
}

function refused(state: BrokerState, request: LeaseRequest, code: RefusalCode): Reduced {
	const requestId = requestIdOf(request);
	return { state, effects: [{ type: 'refuse', holder: request.holder, requestId, code }] };
}
