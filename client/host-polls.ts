import { isGrpcServiceError } from '@temporalio/client';
import { waitFor } from '../system/wait.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { type TemporalClient, unreachable } from './connection.ts';

/** TaskQueueType: temporal/api/enums/v1/task_queue.proto. */
const activityQueue = 2;

/** Comes back when a worker of this host takes work from Temporal; `timeout` when none has after so long. */
export async function untilHostPolls(
	temporal: TemporalClient,
	hostId: string,
	{ timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal },
): Promise<void> {
	await waitFor('a worker of the host at Temporal', () => isPolled(temporal, taskQueues.host(hostId)), {
		timeoutMs,
		everyMs: 1000,
		signal,
	});
}

async function isPolled({ client, target }: TemporalClient, name: string): Promise<boolean> {
	try {
		const { pollers } = await client.workflowService.describeTaskQueue({
			namespace: target.namespace,
			taskQueue: { name },
			taskQueueType: activityQueue,
		});
		return (pollers ?? []).length > 0;
	} catch (error) {
		throw isGrpcServiceError(error) ? unreachable(target, error) : error;
	}
}
