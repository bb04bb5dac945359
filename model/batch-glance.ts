import type { ErrorCode } from './errors.ts';
import type { Phase } from './recovery.ts';

/** Of how a recovery fares, what a batch goes by. */
export interface ItemGlance {
	/** Null before its first step. */
	recoveryId: string | null;
	/** Name of the batch that has started it; null: none has. */
	batch: string | null;
	phase: Phase;
	/** Its workflow is over: `ended` by itself, or by `force` in Temporal, and then its machine may still run. */
	closed: 'ended' | 'force' | null;
	/** Null: not known yet. */
	readiness: 'ready' | 'not_ready' | null;
	parked: boolean;
	/** What parked it, or how it failed. */
	code: ErrorCode | null;
	reason: string | null;
}

/** What stands in the way of a recovery that is to be started. */
export type Prepared =
	| { name: string; is: 'free' }
	/** One with the same request, which is to be watched. */
	| { name: string; is: 'found'; glance: ItemGlance }
	/** `phase`: of the recovery that has the name. */
	| { name: string; is: 'refused'; code: ErrorCode; reason: string; phase?: Phase };

/** Null: Temporal knows none of this name and this request. */
export interface LookedAt {
	name: string;
	glance: ItemGlance | null;
}

/** Whether a recovery has taken an order. */
export interface Ordered {
	name: string;
	refused: { code: ErrorCode; reason: string } | null;
}
