import { defaultPayloadConverter as converter } from '@temporalio/common';

export type Payload = Parameters<typeof converter.fromPayload>[0];

export function toPayload(value: unknown): Payload {
	return converter.toPayload(value);
}

export function toPayloads(values: readonly unknown[]): Payload[] {
	return values.map(toPayload);
}

export const fromPayload: typeof converter.fromPayload = payload => converter.fromPayload(payload);

/** What the activities' own failures carry. */
export interface FailureDocument {
	code: string;
	message: string;
	hint?: string | undefined;
	details?: Record<string, string | number | boolean> | undefined;
}

/** An activity that has failed for good, as activities/failures.ts and the SDK around it make it. */
export function activityFailure(type: string, seq: number, document: FailureDocument) {
	const cause = {
		message: document.message,
		applicationFailureInfo: {
			type: document.code,
			nonRetryable: true,
			details: { payloads: toPayloads([document]) },
		},
	};
	return {
		message: 'Activity task failed',
		cause,
		activityFailureInfo: { activityType: { name: type }, activityId: String(seq) },
	};
}
