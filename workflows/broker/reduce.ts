import { listed } from './adopt.ts';
import type { BrokerEvent, Reduced } from './events.ts';
import { holdersClosed, hostConfirmed, undelivered } from './liveness.ts';
import { forget, hostAway, report, setTotal } from './reports.ts';
import { acquire, forceRelease, prioritize, release } from './requests.ts';
import type { BrokerState } from './state.ts';
import { tick } from './tick.ts';

/**
 * The broker: what it knows and what happens become what it knows and what is to be done. Reads no clock, draws no
 * numbers, keeps nothing.
 */
export function reduce(state: BrokerState, event: BrokerEvent): Reduced {
	switch (event.type) {
		case 'acquire':
			return acquire(state, event.request);
		case 'release':
			return quietly(release(state, event.release));
		case 'report':
			return report(state, event.report, event.atMs);
		case 'set':
			return quietly(setTotal(state, event.resource, event.total));
		case 'prioritize':
			return quietly(prioritize(state, event.requestId, event));
		case 'host-away':
			return quietly(hostAway(state, event));
		case 'force-release':
			return forceRelease(state, event.requestId, event);
		case 'forget':
			return quietly(forget(state, event.reporter));
		case 'listed':
			return listed(state, event.held, event.atMs);
		case 'holders-closed':
			return holdersClosed(state, event.holders, event.atMs);
		case 'host-confirmed':
			return quietly(hostConfirmed(state, event.host, event.requestId));
		case 'undelivered':
			return undelivered(state, event, event.atMs);
		case 'tick':
			return tick(state, event.atMs);
		default:
			return event satisfies never;
	}
}

function quietly(state: BrokerState): Reduced {
	return { state, effects: [] };
}
