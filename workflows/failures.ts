import {
	ActivityFailure,
	ApplicationFailure,
	CancelledFailure,
	isCancellation,
	TimeoutFailure,
} from '@temporalio/workflow';
import { errorDocumentSchema } from '../model/error-document.ts';
import { type ErrorDocument, isErrorCode } from '../model/errors.ts';

/**
 * Thrown to leave the step under way: a person wants the recovery discarded, or its host given up, somebody cancelled the workflow, the history
 * is long enough for a new run, what the step was given does not hold any more, or the host has ended the recovery, of
 * which this history knows nothing.
 */
export class Interruption extends Error {
	override readonly name = 'Interruption';
	readonly why: 'discard' | 'abandon' | 'cancel' | 'renew' | 'stale' | 'finished' | 'discarded';

	constructor(why: Interruption['why']) {
		super(`interrupted: ${why}`);
		this.why = why;
	}
}

export const cancelledDocument: ErrorDocument = {
	code: 'interrupted',
	message: 'the workflow was cancelled in Temporal',
};

/** Any thrown value in the shape that people and other programs read. */
export function documentOf(thrown: unknown): ErrorDocument {
	const error = thrown instanceof ActivityFailure ? (thrown.cause ?? thrown) : thrown;
	if (error instanceof ApplicationFailure && isErrorCode(error.type)) {
		const { hint, details } = detailsOf(error);
		return { code: error.type, message: error.message, hint, details };
	}
	if (error instanceof TimeoutFailure) return { code: 'timeout', message: `${stepOf(thrown)}: ${timeoutText(error)}` };
	if (error instanceof Interruption || error instanceof CancelledFailure || isCancellation(error))
		return cancelledDocument;
	return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}

function detailsOf(error: ApplicationFailure): Pick<ErrorDocument, 'hint' | 'details'> {
	const document = errorDocumentSchema.safeParse(error.details?.[0]).data; // activities/failures.ts puts it there
	return { hint: document?.hint, details: document?.details };
}

/** How the host has ended the recovery, when that is why it refuses. */
export function endOnHost({ code, details }: ErrorDocument): 'finished' | 'discarded' | undefined {
	const ended = code === 'generation_stale' ? details?.['ended'] : undefined;
	return ended === 'finished' || ended === 'discarded' ? ended : undefined;
}

/**
 * The server puts the last attempt's failure below its own words, and only that says what was in the way. The SDK makes
 * no `cause` of it (1.24), but keeps what the server sent.
 */
function timeoutText({ message, failure }: TimeoutFailure): string {
	const last = failure?.cause?.message;
	if (last) return `not done in time; the last attempt failed: ${last}`;
	return `${message}: its worker died, hangs or is missing`;
}

function stepOf(thrown: unknown): string {
	return thrown instanceof ActivityFailure ? thrown.activityType : 'step';
}

/** The host has seen a generation that this workflow has not raised. */
export function isBehind({ code }: Pick<ErrorDocument, 'code'>): boolean {
	return code === 'generation_stale';
}

export function failureOf(document: ErrorDocument): ApplicationFailure {
	return ApplicationFailure.create({
		type: document.code,
		message: document.message,
		nonRetryable: true,
		details: [document],
	});
}
