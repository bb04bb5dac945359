import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';
import { recoveryNameOf } from '../workflows/contracts.ts';

/** Whatever is logged during an attempt, by us or by the SDK, says of which recovery, which step and which attempt. */
export function logAttributes({ info }: Context): ActivityInterceptors {
	const { activityType: step, attempt, workflowExecution } = info;
	const recovery = workflowExecution && recoveryNameOf(workflowExecution.workflowId);
	const attributes = { recovery, step, attempt, runId: workflowExecution?.runId };
	// In place of the SDK's own, which have the same in more words, and a token of 200 characters.
	return { outbound: { getLogAttributes: (_attributes, next) => next(attributes) } };
}
