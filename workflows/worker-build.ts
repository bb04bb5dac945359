import { workflowInfo } from '@temporalio/workflow';

/** A hash of the workflow code of the worker that does this task, as the history has it: a replay finds the same. */
function buildOfWorker(): string | undefined {
	return workflowInfo().currentDeploymentVersion?.buildId;
}

/**
 * For workflows that last: true once the server suggests to continue as new, or a worker of another version has taken over.
 * What that one does otherwise it does in a history of its own, not in this one.
 */
export function untilRunIsOver(): () => boolean {
	const begunBy = buildOfWorker();
	return () => workflowInfo().continueAsNewSuggested || buildOfWorker() !== begunBy;
}
