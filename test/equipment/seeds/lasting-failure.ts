import { ApplicationFailure } from '@temporalio/common';
import { asRouseError, type ErrorDocument } from '../../../model/errors.ts';

/** What trying again cannot mend; undefined for what it may. */
export function failureOf(error: unknown): ErrorDocument | undefined {
	if (error instanceof ApplicationFailure) {
		if (!error.nonRetryable) return undefined;
		const [document] = error.details ?? [];
		// Made by activities/failures.ts: its first detail is the document.
		return document as ErrorDocument;
	}
	const { code, message, hint, retry } = asRouseError(error);
	return retry === 'transient' ? undefined : { code, message, hint };
}
