import { errorDocumentSchema } from '../model/error-document.ts';
import { type ErrorDocument, isErrorCode } from '../model/errors.ts';
import type { Payload } from '../system/payload-cipher.ts';
import type { ReadPayload } from './payloads.ts';

/** The parts of temporal.api.failure.v1.Failure that are read here. */
export interface FailureParts {
	message?: string | null;
	cause?: FailureParts | null;
	applicationFailureInfo?: {
		type?: string | null;
		details?: { payloads?: Payload[] | null } | null;
	} | null;
	timeoutFailureInfo?: { timeoutType?: number | null } | null;
}

/** TimeoutType of temporal/api/enums/v1/workflow.proto, by number. */
const timeoutWords = ['', 'the attempt took too long', 'no worker took it in time', 'it took too long', 'no heartbeat'];

/** Failures are made by us with a code as their type; all else (timeouts, SDK errors) is put into the same shape. */
export function documentOf(failure: FailureParts, read: ReadPayload): ErrorDocument {
	const type = failure.applicationFailureInfo?.type;
	const message = failure.message ?? 'no message';
	if (failure.timeoutFailureInfo) {
		const why = timeoutWords[failure.timeoutFailureInfo.timeoutType ?? 0] || 'timed out';
		return { code: 'timeout', message: `${why}: the worker died or hangs` };
	}
	if (isErrorCode(type)) return detailOf(failure, read) ?? { code: type, message };
	return failure.cause ? documentOf(failure.cause, read) : { code: 'internal', message };
}

function detailOf(failure: FailureParts, read: ReadPayload): ErrorDocument | undefined {
	const payload = failure.applicationFailureInfo?.details?.payloads?.[0];
	return payload && errorDocumentSchema.safeParse(read(payload)).data;
}
