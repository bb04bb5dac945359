import { ApplicationFailure } from '@temporalio/common';
import { asRouseError, type ErrorDocument } from '../../../model/errors.ts';

/** What trying again cannot mend, or was the last try; undefined for what is tried again. */
export function failureOf(error: unknown, last: boolean): ErrorDocument | undefined {
	if (error instanceof ApplicationFailure) {
		if (!error.nonRetryable && !last) return undefined;
		const [document] = error.details ?? [];
		// Made by activities/failures.ts: its first detail is the document.
		return document as ErrorDocument;
	}
	const { code, message, hint, retry } = asRouseError(error);
	return retry === 'transient' && !last ? undefined : { code, message, hint };
}
