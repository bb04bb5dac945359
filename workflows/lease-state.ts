import type { HeldLease, LeaseRequest, Release } from '../model/broker.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { RefusalCode } from './broker/events.ts';

/**
 * What a broker is asked for: by a recovery to run at all, and to copy, in this order, never the reverse; by an import to have its
 * moment begun.
 */
export type LeaseKind = (typeof kinds)[number];
const kinds = ['run', 'migrate', 'import'] as const;

/** A host of the pool that would not have it. */
export interface Refusal {
	host: string;
	code: ErrorCode;
	message: string;
}

/** All that a workflow has of its broker, and waits for. Plain JSON, as all of a workflow's state. */
export interface Leases {
	/** Granted and not given back. */
	held: HeldLease[];
	/** Wanted, and neither granted nor withdrawn. */
	asking: LeaseRequest | null;
	/** Why it will not get what it is asking for. */
	refused: { by: 'broker' | 'person'; code: RefusalCode; message: string } | null;
	/** How often it wanted each: a number is used once, since a request that is over is over for good. */
	wanted: Partial<Record<LeaseKind, number>>;
	/** Since when it has waited for what it is asking for, under whatever number. */
	sinceMs: number | null;
	/** When the broker did not know any more whether what it asks for was over; null once it has got it. */
	doubtedMs: number | null;
}

export interface RecoveryLeases extends Leases {
	/** A person took the lease of its migration away: why. */
	taken: string | null;
	refusals: Refusal[];
	/** Number of its host's last capacity report before the machine stood on its own. */
	afterReport: number | null;
}

/** Who asks a broker: a recovery, or an import. */
export interface LeaseHolder {
	readonly leases: Leases;
	/** Throws an `Interruption` once it is to do something else; `renewable`: the work may be left for a new run. */
	interruptible: <T>(work: () => Promise<T>, options?: { renewable?: boolean }) => Promise<T>;
	/** A person took from it what it held: why. */
	leaseTaken: (kind: LeaseKind, why: string) => void;
}

export function noLeases(): Leases {
	return { held: [], asking: null, refused: null, wanted: {}, sinceMs: null, doubtedMs: null };
}

export function noRecoveryLeases(): RecoveryLeases {
	return { ...noLeases(), taken: null, refusals: [], afterReport: null };
}

export function kindOf({ step }: Pick<LeaseRequest, 'step'>): LeaseKind {
	return kinds.find(kind => step.startsWith(kind)) ?? 'run';
}

export function leaseHeld({ held }: Leases, kind: LeaseKind): HeldLease | undefined {
	return held.find(({ request }) => kindOf(request) === kind);
}

/** `run`, `run-2`, … */
export function nextStep({ wanted }: Leases, kind: LeaseKind): string {
	const number = (wanted[kind] ?? 0) + 1;
	return number === 1 ? kind : `${kind}-${number}`;
}

/** Of the machine that stands on its own from now on, which its host is yet to report. */
export function staying(leases: RecoveryLeases): Release['stays'] {
	const lease = leaseHeld(leases, 'run');
	if (!lease || leases.afterReport === null) return null;
	const { lasting, onHost } = lease.request;
	return {
		onHost: Object.fromEntries(lasting.map(kind => [kind, onHost[kind] ?? 0])),
		afterReport: leases.afterReport,
	};
}
