import type { HeldLease, LeaseRequest, Release } from '../model/broker.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { RefusalCode } from './broker/events.ts';

/** What a recovery asks a broker for: to run at all, and to copy. In this order, never the reverse. */
export type LeaseKind = 'run' | 'migrate';

/** A host of the pool that would not have it. */
export interface Refusal {
	host: string;
	code: ErrorCode;
	message: string;
}

/** All that a recovery has of its broker, and waits for. Plain JSON, as all of a workflow's state. */
export interface Leases {
	/** Granted and not given back. */
	held: HeldLease[];
	/** Wanted, and neither granted nor withdrawn. */
	asking: LeaseRequest | null;
	/** Why it will not get what it is asking for. */
	refused: { by: 'broker' | 'person'; code: RefusalCode; message: string } | null;
	/** How often it wanted each: a number is used once, since a request that is over is over for good. */
	wanted: Record<LeaseKind, number>;
	/** Since when it has waited for what it is asking for, under whatever number. */
	sinceMs: number | null;
	/** When the broker did not know any more whether what it asks for was over; null once it has got it. */
	doubtedMs: number | null;
	/** A person took the lease of its migration away: why. */
	taken: string | null;
	refusals: Refusal[];
	/** Number of its host's last capacity report before the machine stood on its own. */
	afterReport: number | null;
}

export function noLeases(): Leases {
	return {
		held: [],
		asking: null,
		refused: null,
		wanted: { run: 0, migrate: 0 },
		sinceMs: null,
		doubtedMs: null,
		taken: null,
		refusals: [],
		afterReport: null,
	};
}

export function kindOf({ step }: Pick<LeaseRequest, 'step'>): LeaseKind {
	return step.startsWith('migrate') ? 'migrate' : 'run';
}

export function leaseHeld({ held }: Leases, kind: LeaseKind): HeldLease | undefined {
	return held.find(({ request }) => kindOf(request) === kind);
}

/** `run`, `run-2`, … */
export function nextStep({ wanted }: Leases, kind: LeaseKind): string {
	const number = wanted[kind] + 1;
	return number === 1 ? kind : `${kind}-${number}`;
}

/** Of the machine that stands on its own from now on, which its host is yet to report. */
export function staying(leases: Leases): Release['stays'] {
	const lease = leaseHeld(leases, 'run');
	if (!lease || leases.afterReport === null) return null;
	const { lasting, onHost } = lease.request;
	return {
		onHost: Object.fromEntries(lasting.map(kind => [kind, onHost[kind] ?? 0])),
		afterReport: leases.afterReport,
	};
}
