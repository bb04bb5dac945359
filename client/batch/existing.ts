import { RouseError } from '../../model/errors.ts';
import { type RecoveryRequest, recoveryRequestSchema } from '../../model/recovery.ts';
import type { BatchPlan } from '../../model/batch.ts';
import { decideItemStart } from '../start-decision.ts';
import type { RecoverySummary } from '../summaries.ts';

/** By its name, the request that a recovery was started with, or will be by the batch that is under way. */
export function existingRequests(
	recoveries: readonly RecoverySummary[],
	open: BatchPlan | undefined,
): Map<string, RecoveryRequest> {
	const requests = new Map<string, RecoveryRequest>();
	for (const { name, differs } of open?.items ?? []) {
		const { data } = recoveryRequestSchema.safeParse({ ...open?.common, ...differs, name });
		if (data) requests.set(name, data);
	}
	for (const { name, request, workflow, phase } of recoveries)
		if (request && (workflow === 'RUNNING' || (workflow === 'COMPLETED' && phase === 'finished')))
			requests.set(name, request);
	return requests;
}

/** What a batch will find under the name of a recovery, as far as Temporal knows; null when it is free. */
export type Found = { is: 'attached' | 'already_finished' } | { is: 'refused'; why: RouseError } | null;

export function foundOf(existing: RecoverySummary | undefined, requestHash: string, again: boolean): Found {
	if (!existing) return null;
	try {
		const outcome = decideItemStart(existing, requestHash, { again, removed: false });
		return outcome === undefined ? null : { is: outcome };
	} catch (error) {
		if (!(error instanceof RouseError)) throw error;
		return { is: 'refused', why: error };
	}
}
