import type { Demands, Ledger } from './ledger.ts';
import { inOrder, isEldest } from './order.ts';
import type { BrokerState, Waiter } from './state.ts';

export interface Placement {
	readonly host: string | null;
	/** The ledger's `nowMs` when it can have all of it at once. */
	readonly startMs: number;
}

export interface Turn {
	readonly waiter: Waiter;
	/** Null when it cannot start by what is expected to come back, and so reserves nothing. */
	readonly placement: Placement | null;
}

/**
 * Gives every request its turn, the first one first. Each is placed where it can start soonest with what those before it
 * leave, and then charged there from now until its end, whether it starts now or waits: what it needs, nobody behind it
 * gets. Where all holders keep to their estimates and nobody comes in between, the starts come true to the millisecond.
 *
 * The ledger is charged when the next turn is asked for: until then it has what those before have left.
 */
export function* turns(state: BrokerState, ledger: Ledger): Generator<Turn> {
	for (const waiter of inOrder(state.waiters.values(), ledger.nowMs)) {
		const placement = place(waiter, ledger);
		yield { waiter, placement };
		if (placement) {
			const { request } = waiter;
			ledger.charge(request, placement.host, placement.startMs + request.expectedMs);
		}
	}
}

/**
 * Where it can start soonest; among such hosts the one where it has reserved so far, else the one that is left with most.
 * The eldest leave a host only for one where they can start now: by estimates that change they could be led from one to
 * the other and back for ever, each time giving up what had come free for them.
 */
function place(waiter: Waiter, ledger: Ledger): Placement | null {
	const { request, reservesOn } = waiter;
	const { nowMs } = ledger;
	const sharedMs = earliestMs(ledger.shared(request), nowMs, nowMs);
	if (sharedMs === null) return null;
	if (request.hosts.length === 0) return { host: null, startMs: sharedMs };
	const demandsOn = ledger.onHost(request);
	let best: Placement | null = null;
	let bestLoad: number | null = null;
	let kept: Placement | null = null;
	for (const host of request.hosts) {
		// A host that is worse than another by one resource need not be looked at further.
		const notAfterMs = host === reservesOn ? Infinity : (best?.startMs ?? Infinity);
		const startMs = earliestMs(demandsOn(host), sharedMs, nowMs, notAfterMs);
		if (startMs === null) continue;
		if (host === reservesOn) kept = { host, startMs };
		if (best && startMs > best.startMs) continue;
		if (best && startMs === best.startMs) {
			// Asked for only where it decides: most hosts are out before.
			bestLoad ??= loadAt(demandsOn(best.host ?? host), startMs, nowMs);
			const load = loadAt(demandsOn(host), startMs, nowMs);
			if (load >= bestLoad) continue;
			bestLoad = load;
		} else bestLoad = null;
		best = { host, startMs };
	}
	if (!best || !kept || kept.startMs === best.startMs) return kept ?? best;
	return best.startMs > nowMs && isEldest(waiter, nowMs) ? kept : best;
}

function earliestMs(
	{ accounts, weights }: Demands,
	notBeforeMs: number,
	nowMs: number,
	notAfterMs = Infinity,
): number | null {
	let latest = notBeforeMs;
	for (let index = 0; index < accounts.length; index += 1) {
		const fits = accounts[index]?.earliestMs(weights[index] ?? 0, nowMs) ?? null;
		if (fits === null || fits > notAfterMs) return null;
		if (fits > latest) latest = fits;
	}
	return latest;
}

/** Of what it needs there, the scarcest: among hosts that are equally soon the one is taken that is left with most. */
function loadAt({ accounts, weights }: Demands, timeMs: number, nowMs: number): number {
	let highest = 0;
	for (let index = 0; index < accounts.length; index += 1) {
		const load = accounts[index]?.loadAt(timeMs, weights[index] ?? 0, nowMs) ?? 0;
		if (load > highest) highest = load;
	}
	return highest;
}
