import type { Context } from '@temporalio/activity';
import { ApplicationFailure, ApplicationFailureCategory, CancelledFailure, type Duration } from '@temporalio/common';
import { asRouseError, type RetryClass } from '../model/errors.ts';

/**
 * What an activity throws, as Temporal keeps it: the type is our code, the first detail our document, and only what may
 * mend itself is tried again. `host_busy` is no fault but a queue: it is neither logged nor counted.
 */
export function toFailure(
	thrown: unknown,
	triedAgain: readonly RetryClass[] = ['transient'],
	/** Until the next attempt, instead of what the activity's options say. */
	nextRetryDelay?: Duration,
): Error {
	if (thrown instanceof ApplicationFailure || thrown instanceof CancelledFailure) return thrown;
	const error = asRouseError(thrown);
	return ApplicationFailure.create({
		message: error.message,
		type: error.code,
		nonRetryable: !triedAgain.includes(error.retry),
		details: [error.toDocument()],
		...(error.cause instanceof Error ? { cause: error.cause } : {}),
		...(nextRetryDelay === undefined ? {} : { nextRetryDelay }),
		...(error.code === 'host_busy' ? { category: ApplicationFailureCategory.BENIGN } : {}),
	});
}

/** The same of what is to be done as soon as somebody has mended what is in its way. */
export function untilMended(thrown: unknown): Error {
	return toFailure(thrown, ['transient', 'person']);
}

/**
 * Why an attempt was told to stop, when it was. The SDK reports an AbortError (what `fetch`, streams and timers throw) as
 * *cancelled* even when the activity was only paused or reset or the worker shuts down, and the workflow would take that
 * for an end: the signal's own reason is told apart (SDK 1.24, worker/lib/activity.js), and a shutdown is a failure that
 * is tried again elsewhere.
 */
export function interruptionOf(context: Context): Error | undefined {
	const { cancellationSignal, cancellationDetails } = context;
	if (!cancellationSignal.aborted) return undefined;
	if (cancellationDetails?.workerShutdown && !cancellationDetails.cancelRequested)
		return ApplicationFailure.retryable('the worker is shutting down', 'interrupted');
	const reason: unknown = cancellationSignal.reason;
	return reason instanceof Error ? reason : new CancelledFailure('cancelled');
}
