import { TypedSearchAttributes } from '@temporalio/common';
import type { WorkflowCreateOptions } from '@temporalio/worker/lib/workflow/interface.js';

/** What a run of this type would know of itself at its start. */
export function firstInfo(
	{ type: workflowType, workflowId, firstRunId }: { type: string; workflowId: string; firstRunId: string },
	runId: string,
	startedAtMs: number,
): WorkflowCreateOptions['info'] {
	return {
		workflowType,
		runId,
		workflowId,
		namespace: 'default',
		firstExecutionRunId: firstRunId,
		originalExecutionRunId: runId,
		attempt: 1,
		taskTimeoutMs: 10_000,
		taskQueue: 'control',
		searchAttributes: {},
		typedSearchAttributes: new TypedSearchAttributes(),
		historyLength: 3,
		historySize: 300,
		continueAsNewSuggested: false,
		targetWorkerDeploymentVersionChanged: false,
		// `random` is set by the sandbox itself when it makes the workflow.
		unsafe: {
			isReplaying: false,
			isReplayingHistoryEvents: false,
			now: Date.now,
			random: undefined as never,
		},
		startTime: new Date(startedAtMs),
		runStartTime: new Date(startedAtMs),
	};
}
