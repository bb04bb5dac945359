import type { Holder } from './broker.ts';

/** What a broker says about itself: `rouse broker show --json`. Times in ms since the epoch. */
export interface BrokerView {
	atMs: number;
	/** Nothing is granted yet: these have not reported, or open recoveries and imports not told what they hold. */
	rebuilding: { sinceMs: number; silent: string[]; listed: boolean } | null;
	/** Hosts on which nothing new is granted before they report again, since a recovery did not find them. */
	away: { reporter: string; sinceMs: number; seenBy: string }[];
	resources: ResourceView[];
	leases: LeaseView[];
	/** In their order, the first ones. */
	waiting: WaitingView[];
	/** All of them, also those that are not in `waiting`. */
	waitingCount: number;
}

export interface ResourceView {
	resource: string;
	/** What leases may take; null as long as nobody has said how much there is. */
	capacity: number | null;
	/** Why the total is less than usual, in the words of who reports it. */
	reduced?: string;
	/** A person has set the total. */
	set: number | null;
	held: number;
	/** What those who wait, and can foresee their start, keep others from taking. */
	reserved: number;
}

export interface LeaseView {
	requestId: string;
	holder: Holder;
	host: string | null;
	token: number;
	grantedMs: number;
	expectedEndMs: number;
	/** Its host has reported that it has it: once it has it no longer, the lease is over. */
	onHost: boolean;
	/** Since when its holder is gone and its host has to say that nothing runs. */
	orphanedMs: number | null;
}

export interface WaitingView {
	requestId: string;
	holder: Holder;
	/** 1 is next. */
	position: number;
	priority: number;
	/** With the ageing. */
	agedPriority: number;
	deadlineMs: number | null;
	sinceMs: number;
	/** Where it reserves; null when no host was asked for, or none is in sight. */
	host: string | null;
	/** What keeps it, on `host`, or on each host that it would take. */
	lacks: LackView[];
	/** When all holders keep to their estimates and nobody goes before it; null when that is not in sight. */
	estimatedStartMs: number | null;
	/** It is foreseen to start after its deadline. */
	late: boolean;
}

export interface LackView {
	resource: string;
	wanted: number;
	capacity: number | null;
	/** What no lease has of it; null like `capacity`. */
	free: number | null;
	/**
	 * `unknown`: nobody has said how much there is. `away`: of a host that was not found. `too_little`: more than there will be, whoever gives back. `held`: by
	 * the leases in `holders`. `reserved`: for the requests in `ahead`.
	 */
	why: 'unknown' | 'away' | 'too_little' | 'held' | 'reserved';
	/** As in {@link ResourceView}. */
	reduced?: string;
	/** Those with the most of it, and how much. */
	holders: Share[];
	/** Those that go before and need it as well, the first ones. */
	ahead: Share[];
}

export interface Share {
	requestId: string;
	weight: number;
}
