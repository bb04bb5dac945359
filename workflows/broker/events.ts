import type { CapacityReport, HeldLease, Holder, LeaseRequest, Release } from '../../model/broker.ts';
import type { BrokerState } from './state.ts';

/** Who ordered it and why, for the audit. */
export interface Reasoned {
	readonly by: string;
	readonly reason: string;
}

interface At {
	/** The time of the event, in ms since the epoch: nothing here reads a clock. */
	readonly atMs: number;
}

/** What happens to a broker. All but `tick` may come twice, late, or in another order than they were sent. */
export type BrokerEvent = At &
	(
		| { readonly type: 'acquire'; readonly request: LeaseRequest }
		| { readonly type: 'release'; readonly release: Release }
		| { readonly type: 'report'; readonly report: CapacityReport }
		/** Null takes back what was set. */
		| { readonly type: 'set'; readonly resource: string; readonly total: number | null }
		| {
				readonly type: 'prioritize';
				readonly requestId: string;
				readonly priority: number;
				readonly deadlineMs: number | null;
		  }
		| ({ readonly type: 'force-release'; readonly requestId: string } & Reasoned)
		/** A recovery has waited in vain for the worker of a host on which it has its place. */
		| { readonly type: 'host-away'; readonly host: string; readonly seenBy: string }
		/** The host is no longer one of the site's. */
		| { readonly type: 'forget'; readonly reporter: string }
		/** What open recoveries and imports hold: asked for by this broker while it rebuilds, not earlier than what it was told before. */
		| { readonly type: 'listed'; readonly held: readonly HeldLease[] }
		/** Of the holders that were asked, those that are closed, missing, or another run under the same id. */
		| { readonly type: 'holders-closed'; readonly holders: readonly Holder[] }
		/** The host has made sure that nothing of the lease runs there, and that nothing of it will. */
		| { readonly type: 'host-confirmed'; readonly host: string; readonly requestId: string }
		/** Nobody was there to take the message about this grant; `once`: no attempt before this one may have told it. */
		| { readonly type: 'undelivered'; readonly requestId: string; readonly token: number; readonly once: boolean }
		/** Grants are made here alone, so that a hundred messages of one moment cost one round. */
		| { readonly type: 'tick' }
	);

/** What happens, without its time. */
export type Happening = BrokerEvent extends infer Each
	? Each extends BrokerEvent
		? Omit<Each, 'atMs'>
		: never
	: never;

/** `may_be_over`: nothing is known of it, and what is forgotten may be its end. */
export type RefusalCode = 'broker_full' | 'lease_ended' | 'may_be_over';

/** What is to be done after the state that says so is kept. */
export type BrokerEffect =
	| {
			readonly type: 'grant';
			readonly holder: Holder;
			readonly requestId: string;
			readonly host: string | null;
			readonly token: number;
	  }
	| { readonly type: 'refuse'; readonly holder: Holder; readonly requestId: string; readonly code: RefusalCode }
	/** A person took the lease, or the place in the queue, away. */
	| ({ readonly type: 'revoke'; readonly holder: Holder; readonly requestId: string } & Reasoned)
	| { readonly type: 'ask-holders'; readonly holders: readonly Holder[] }
	| {
			readonly type: 'ask-host';
			readonly host: string;
			readonly hostId: string;
			readonly requestIds: readonly string[];
	  };

export interface Reduced {
	readonly state: BrokerState;
	readonly effects: readonly BrokerEffect[];
}
