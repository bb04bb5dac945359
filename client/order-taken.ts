import { setTimeout as delay } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { RecoverySummary } from './summaries.ts';

/** FAILED_PRECONDITION: https://grpc.io/docs/guides/status-codes/. */
const failedPrecondition = 9;
const againMs = 100;

/**
 * Gives an order, and gives it again as long as nothing recorded it (`isLost`) and `deadline` (as of `Date.now()`) is
 * not near. Every try has to have the same update id: an order that was taken is not taken a second time.
 */
export async function untilTaken<T>(
	give: () => Promise<T>,
	{ isLost, deadline }: { isLost: (error: unknown) => Promise<boolean>; deadline: number },
): Promise<T> {
	for (;;) {
		try {
			return await give();
		} catch (error) {
			if (Date.now() + againMs >= deadline || !(await isLost(error))) throw error;
			await delay(againMs);
		}
	}
}

/**
 * The workflow task that carried the order failed on the server, as one that ends a run does when something came in
 * meanwhile: nothing of the order is recorded, and nobody will carry it out. Temporal 1.31:
 * service/history/workflow/update/abort_reason.go, `workflowTaskFailErr`; its client does not try again by itself.
 */
export function wasNotReady(error: unknown): boolean {
	const cause = error instanceof Error ? error.cause : undefined;
	if (!isGrpcServiceError(cause)) return false;
	const code: number = cause.code;
	const [details] = cause.metadata.get('grpc-status-details-bin');
	return (
		code === failedPrecondition &&
		Buffer.isBuffer(details) &&
		details.includes('temporal.api.errordetails.v1.WorkflowNotReadyFailure')
	);
}

/**
 * An order that no run of a recovery took is given again to this very recovery alone: its name is free when it has ended,
 * and one that was requested under it since is meant by no order of before.
 */
export function isMeant(
	{ workflow, requestedAt }: Pick<RecoverySummary, 'workflow' | 'requestedAt'>,
	givenAtMs: number,
) {
	return workflow === 'RUNNING' && Date.parse(requestedAt) <= givenAtMs;
}
