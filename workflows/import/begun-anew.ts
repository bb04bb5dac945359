import { ActivityFailure, isCancellation, TimeoutFailure } from '@temporalio/workflow';
import type { ErrorDocument } from '../../model/errors.ts';
import type { SourceMoment } from '../../sources/machine/documents.ts';
import { documentOf } from '../failures.ts';

/** How often one import is begun anew in all: what changes its disks at every turn is nothing that can be imported. */
export const mostBegun = 3;

/**
 * Whether an import that has failed here may be ordered anew, by another tag: the machine has other disks than were planned, or its
 * moment has no name, and an attempt at it has ended by what may pass by itself.
 */
export function mayBeginAnew(error: unknown, moment: SourceMoment | null): boolean {
	if (isCancellation(error)) return false;
	if (documentOf(error).code === 'source_changed') return true;
	return moment !== null && moment.moment === null && isPassing(error);
}

/** With one attempt allowed, Temporal calls none of its failures final. */
export function isPassing(error: unknown): boolean {
	if (!(error instanceof ActivityFailure)) return false;
	const { retryState, cause } = error;
	return retryState === 'MAXIMUM_ATTEMPTS_REACHED' || retryState === 'TIMEOUT' || cause instanceof TimeoutFailure;
}

/** Time that ran out while the platform kept the moment is its end, whatever was in the way until then. */
export function failureOfImport(error: unknown, moment: SourceMoment | null, nowMs: number): ErrorDocument {
	const document = documentOf(error);
	const until = moment?.holdUntil ?? null;
	if (until === null || !isOutOfTime(error, nowMs >= Date.parse(until))) return document;
	return {
		...document,
		code: 'moment_lost',
		message: `its platform kept its state until ${until}: ${document.message}`,
	};
}

/** An attempt whose next one would begin too late is the last: its failure is told, and that it was for want of time. */
function isOutOfTime(error: unknown, isOver: boolean): boolean {
	if (!(error instanceof ActivityFailure)) return false;
	return error.retryState === 'TIMEOUT' || (isOver && error.cause instanceof TimeoutFailure);
}
