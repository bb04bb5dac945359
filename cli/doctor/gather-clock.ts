import type { TemporalClient } from '../../client/connection.ts';
import { taskQueues } from '../../workflows/contracts.ts';
import type { Facts } from './facts.ts';

/** TaskQueueType: temporal/api/enums/v1/task_queue.proto. */
const workflowQueue = 1;

/**
 * Temporal's time, by when it saw a control worker ask for work last: its API tells no time of its own. Undefined when it
 * has seen none for minutes.
 */
export async function gatherTemporalClock({ client, target }: TemporalClient): Promise<Facts['temporalClock']> {
	const { pollers } = await client.workflowService.describeTaskQueue({
		namespace: target.namespace,
		taskQueue: { name: taskQueues.control },
		taskQueueType: workflowQueue,
	});
	const times = (pollers ?? []).map(({ lastAccessTime }) => Number(lastAccessTime?.seconds ?? 0) * 1_000);
	return times.length === 0 ? undefined : { lastPollMs: Math.max(...times), nowMs: Date.now() };
}
