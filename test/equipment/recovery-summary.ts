import { hashRequest } from '../../client/requests.ts';
import type { RecoverySummary } from '../../client/summaries.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';

/** A recovery as Temporal knows it: finished, unless `changes` say otherwise. */
export function summaryOf(request: RecoveryRequest, changes: Partial<RecoverySummary> = {}): RecoverySummary {
	return {
		name: request.name,
		recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
		batch: undefined,
		phase: 'finished',
		workflow: 'COMPLETED',
		request,
		requestHash: hashRequest(request),
		sealed: false,
		status: undefined,
		requestedAt: '2026-11-20T03:00:00.000Z',
		closedAt: undefined,
		workflowId: `recovery/${request.name}`,
		runId: 'r',
		...changes,
	};
}
