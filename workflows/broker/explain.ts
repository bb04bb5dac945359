import type { LeaseRequest } from '../../model/broker.ts';
import type { BrokerView, LackView, LeaseView, ResourceView, WaitingView } from '../../model/broker-view.ts';
import type { Account } from './account.ts';
import { type Demands, Ledger } from './ledger.ts';
import { agedPriority } from './order.ts';
import { Shares } from './shares.ts';
import type { BrokerState, Lease } from './state.ts';
import { type Turn, turns } from './turns.ts';

/** A request over a pool of 32 hosts would otherwise be explained by a hundred lines. */
const mostLacks = 8;

/**
 * Why who waits for what, and until when, by the same turns by which leases are granted.
 *
 * @param count of those that wait, the first ones: of two thousand all would be more than a query may answer
 * @param workflowId of one holder alone: its requests wherever they stand, and its leases
 */
export function explain(state: BrokerState, atMs: number, count: number, workflowId?: string): BrokerView {
	const ledger = new Ledger(state, atMs);
	const held = new Shares();
	for (const { requestId, request, host } of state.leases.values()) {
		for (const demands of demandsAt(request, host === null ? [] : [host])) held.add(requestId, demands);
	}
	const reserved = new Shares();
	const waiting: WaitingView[] = [];
	let position = 0;
	for (const turn of turns(state, ledger)) {
		position += 1;
		const isShown = workflowId === undefined || turn.waiter.request.holder.workflowId === workflowId;
		if (isShown && waiting.length < count) waiting.push(explainTurn(turn, position));
		if (turn.placement) for (const demands of demandsOf(turn)) reserved.add(turn.waiter.requestId, demands);
	}
	return {
		atMs,
		rebuilding: state.rebuilding && { ...state.rebuilding, silent: [...state.rebuilding.silent] },
		away: [...state.reporters].flatMap(([reporter, { away }]) => (away ? [{ reporter, ...away }] : [])),
		resources: resourceViews(),
		leases: [...state.leases.values()]
			.filter(({ request: { holder } }) => workflowId === undefined || holder.workflowId === workflowId)
			.map(leaseView),
		waiting,
		waitingCount: state.waiters.size,
	};

	function leaseView(lease: Lease): LeaseView {
		return {
			requestId: lease.requestId,
			holder: lease.request.holder,
			host: lease.host,
			token: lease.token,
			grantedMs: lease.grantedMs,
			expectedEndMs: ledger.expectedEndMs(lease),
			onHost: lease.onHost,
			orphanedMs: lease.orphanedMs,
		};
	}

	function explainTurn(turn: Turn, at: number): WaitingView {
		const { requestId, request } = turn.waiter;
		const startMs = turn.placement?.startMs ?? null;
		return {
			requestId,
			holder: request.holder,
			position: at,
			priority: request.priority,
			agedPriority: agedPriority(turn.waiter, atMs),
			deadlineMs: request.deadlineMs,
			sinceMs: request.sinceMs,
			host: turn.placement?.host ?? null,
			lacks: demandsOf(turn)
				.flatMap(({ accounts, weights }) => accounts.flatMap((account, index) => lackOf(account, weights[index] ?? 0)))
				.slice(0, mostLacks),
			// What is held is not known yet.
			estimatedStartMs: state.rebuilding ? null : startMs,
			late: startMs !== null && request.deadlineMs !== null && startMs > request.deadlineMs,
		};
	}

	/** Of where it reserves; of everywhere when that is nowhere. */
	function demandsOf({ waiter: { request }, placement }: Turn): Demands[] {
		return demandsAt(request, placement ? (placement.host === null ? [] : [placement.host]) : request.hosts);
	}

	function demandsAt(request: LeaseRequest, hosts: readonly string[]): Demands[] {
		return [ledger.shared(request), ...hosts.map(ledger.onHost(request))];
	}

	function lackOf({ resource, capacity, grantable, charged }: Account, weight: number): LackView[] {
		if (grantable !== null && charged + weight <= grantable) return [];
		return [
			{
				resource,
				wanted: weight,
				capacity,
				free: capacity === null ? null : Math.max(0, capacity - held.sum(resource)),
				why: reasonOf(resource, weight, capacity, grantable),
				...reducedBy(resource),
				holders: held.largest(resource),
				ahead: reserved.first(resource),
			},
		];
	}

	function reasonOf(
		resource: string,
		weight: number,
		capacity: number | null,
		grantable: number | null,
	): LackView['why'] {
		if (state.reporters.get(resource.slice(0, resource.lastIndexOf('/')))?.away) return 'away';
		if (capacity === null || grantable === null) return 'unknown';
		if (weight > grantable) return 'too_little';
		return held.sum(resource) + weight > capacity ? 'held' : 'reserved';
	}

	/** What a person has set is that much, whatever is reported. */
	function reducedBy(resource: string): { reduced?: string } {
		const slash = resource.lastIndexOf('/');
		const reported = state.reporters.get(resource.slice(0, slash))?.resources.get(resource.slice(slash + 1));
		return reported?.reduced === undefined || state.set.has(resource) ? {} : { reduced: reported.reduced };
	}

	function resourceViews(): ResourceView[] {
		const named = new Set([...held.resources(), ...reserved.resources(), ...state.set.keys()]);
		for (const [reporter, { resources }] of state.reporters) {
			for (const kind of resources.keys()) named.add(`${reporter}/${kind}`);
		}
		return [...named].toSorted().map(resource => ({
			resource,
			capacity: ledger.account(resource).capacity,
			...reducedBy(resource),
			set: state.set.get(resource) ?? null,
			held: held.sum(resource),
			reserved: reserved.sum(resource),
		}));
	}
}
