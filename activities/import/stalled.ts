import { ApplicationFailure } from '@temporalio/common';
import type { CopyBeat } from '../../model/import-view.ts';

/** So long a step may come no further while others wait for its turn: links are cut, and platforms refuse, for minutes. */
const patienceMs = 15 * 60_000;

/** As between two attempts of one that has failed for long (workflows/activity-options.ts). */
const pauseMs = 5 * 60_000;

interface Standing {
	/** Since when it has come no further. */
	sinceMs: number;
	/** Until its next attempt, where that is not to come soon. */
	pauseMs?: number | undefined;
	/** With what it goes on in its next turn. */
	beat?: CopyBeat;
}

/**
 * The failure of an attempt that is followed by another: where that one comes too late for those who wait, the step ends with it, and
 * says so to its workflow (workflows/import/turn.ts), which gives the turn to others before it goes on.
 */
export function failureInTurn(failure: Error, { sinceMs, beat, ...standing }: Standing): Error {
	if (!(failure instanceof ApplicationFailure) || failure.nonRetryable) return failure;
	if (standing.pauseMs === undefined && Date.now() - sinceMs < patienceMs) return failure;
	const { message, type, details, cause } = failure;
	return ApplicationFailure.create({
		message,
		type: type ?? 'internal',
		nonRetryable: true,
		details: [details?.[0], { pauseMs: standing.pauseMs ?? pauseMs, ...(beat && { beat }) }],
		...(cause === undefined ? {} : { cause }),
	});
}
