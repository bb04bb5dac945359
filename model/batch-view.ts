import type { ErrorCode } from './errors.ts';
import type { Phase } from './recovery.ts';

/** How far a machine of a batch is, as the batch was told. */
export type ItemState =
	/** Its group, or the window, does not let it start yet. */
	| 'waiting'
	/** Its recovery was started, or found, and is not ready. */
	| 'starting'
	| 'ready'
	/** Powered on, but its readiness check did not pass in time. */
	| 'not_ready'
	| 'parked'
	/** Its recovery is over: `phase` says how. */
	| 'ended'
	/** The batch will not start it: it was cancelled, or another machine failed and the policy says so. */
	| 'left_out'
	/** It could not be started: `code` and `reason` say why. */
	| 'refused';

export interface ItemView {
	name: string;
	machine: string;
	group: string;
	state: ItemState;
	/** Of its recovery; null as long as none is known. */
	recoveryId: string | null;
	/** Last known of its recovery; of one that was refused, that of the recovery which has its name. */
	phase: Phase | null;
	/** What keeps it from starting, what parked it, why it failed or was refused. */
	code: ErrorCode | null;
	reason: string | null;
	/** It was under way, or finished, before this batch came to it. */
	found: boolean;
	/** Its recovery was started by this batch, in whichever of its beginnings. What is not is discarded only when it is named. */
	own: boolean;
	/** ms since the epoch. */
	startedMs: number | null;
	readyMs: number | null;
}

/**
 * `over`: nothing is left to start, and every machine that was started is ready, not ready in time, parked or at its end.
 * `cancelled`: by a person, and some that were started are on their way still.
 */
export type BatchPhase = 'running' | 'cancelled' | 'over';

/** Of one that is over, its workflow's result is the last of these. */
export interface BatchView {
	name: string;
	phase: BatchPhase;
	startedMs: number;
	endedMs: number | null;
	window: number;
	items: ItemView[];
}
