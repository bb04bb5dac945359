import type { LeaseRequest, Release } from '../../model/broker.ts';

/** A request that waits. */
export interface Waiter {
	readonly requestId: string;
	readonly request: LeaseRequest;
	/** Of two requests the one that came later has the higher number, for good. */
	readonly seq: number;
	/** The host of its pool where it reserved in the last round. */
	readonly reservesOn: string | null;
}

export interface Lease {
	readonly requestId: string;
	readonly request: LeaseRequest;
	readonly seq: number;
	readonly host: string | null;
	/** Of two leases the later one has the higher token: targets refuse a lower one than they have seen. */
	readonly token: number;
	readonly grantedMs: number;
	/** A second message about the grant was sent: that one was not delivered does not say that none was. */
	readonly maybeKnown: boolean;
	/** Its host has reported that it holds it: once it no longer does, the lease is over. */
	readonly onHost: boolean;
	/** Since when its holder is known to be closed. What it has started on its host may still run. */
	readonly orphanedMs: number | null;
}

export interface Away {
	readonly sinceMs: number;
	/** Workflow id of the recovery that was first to see it. */
	readonly seenBy: string;
}

export interface Reported {
	readonly total: number;
	readonly outside: number;
	/** Why the total is less than usual. */
	readonly reduced?: string | undefined;
}

export interface Reporter {
	/** Of a host, as it has told it. */
	readonly hostId: string | null;
	/** Of the last report. */
	readonly number: number;
	readonly resources: ReadonlyMap<string, Reported>;
	/** A recovery did not find this host: nothing new is granted there before it reports again. */
	readonly away: Away | null;
}

/** What a finished machine takes up on its host, until a report of the host has it. */
export interface Staying extends NonNullable<Release['stays']> {
	readonly host: string;
}

/** The broker came up empty, and grants nothing until it knows what is held. */
export interface Rebuilding {
	readonly sinceMs: number;
	/** Reporters that have not reported yet. */
	readonly silent: readonly string[];
	/** Open recoveries and imports have told which leases they hold. */
	readonly listed: boolean;
}

/** All that a broker knows. Never changed in place: each event makes the next one. */
export interface BrokerState {
	readonly reporters: ReadonlyMap<string, Reporter>;
	/** Totals that a person has set, by resource: they stand above what is reported. */
	readonly set: ReadonlyMap<string, number>;
	readonly staying: readonly Staying[];
	readonly leases: ReadonlyMap<string, Lease>;
	readonly waiters: ReadonlyMap<string, Waiter>;
	/** The last requests that are over, the oldest first; of one over a pool since when it was asked for, else 0. */
	readonly ended: ReadonlyMap<string, number>;
	/** Of requests over a pool that are over and not among these any more: the latest since when one was asked for. */
	readonly forgottenMs: number;
	readonly lastSeq: number;
	readonly lastToken: number;
	/** When holders were asked last whether they are open, and the `seq` up to which. */
	readonly asked: { readonly atMs: number; readonly upTo: number };
	readonly rebuilding: Rebuilding | null;
}

/** @param reporters who is expected to report before the first grant */
export function emptyBroker(atMs: number, reporters: readonly string[]): BrokerState {
	return {
		reporters: new Map(),
		set: new Map(),
		staying: [],
		leases: new Map(),
		waiters: new Map(),
		ended: new Map(),
		forgottenMs: 0,
		lastSeq: 0,
		lastToken: 0,
		asked: { atMs, upTo: 0 },
		rebuilding: { sinceMs: atMs, silent: [...new Set(reporters)], listed: false },
	};
}
