import type { AsksMessage, Objection } from './narrow.ts';
import { polledQueues } from './polled-queues.ts';

/** temporal/api/workflowservice/v1/service.proto */
const service = '/temporal.api.workflowservice.v1.WorkflowService';
const poll = `${service}/PollActivityTaskQueue`;

/**
 * What a host's worker and its keeper ask of Temporal, and nothing else is answered to a host elsewhere: none of these starts or ends a
 * workflow, decides for one, or reads a history.
 */
const hostCalls: ReadonlySet<string> = new Set([
	// The worker itself.
	`${service}/GetSystemInfo`,
	`${service}/DescribeNamespace`,
	`${service}/RecordWorkerHeartbeat`,
	`${service}/ShutdownWorker`,
	// Its steps.
	poll,
	`${service}/RecordActivityTaskHeartbeat`,
	`${service}/RespondActivityTaskCompleted`,
	`${service}/RespondActivityTaskFailed`,
	`${service}/RespondActivityTaskCanceled`,
	// Its reports to the workflows of its recoveries (workers/forwarder.ts).
	`${service}/SignalWorkflowExecution`,
	`${service}/DescribeWorkflowExecution`,
	`${service}/ListWorkflowExecutions`,
	// Of `rouse up` there: whether the worker polls (keeper/ready.ts).
	`${service}/DescribeTaskQueue`,
]);

/**
 * What speaks against a call, by its path as HTTP/2 has it. A host takes steps from its own queues and no others: of a poll that is
 * looked at in its message.
 */
export function objectionTo(
	path: string | undefined,
	ownQueues: () => Promise<readonly string[]>,
): Objection | AsksMessage {
	if (path === undefined || !hostCalls.has(path)) return 'no call of a host worker';
	return path === poll ? message => objectionToPoll(message, ownQueues) : undefined;
}

async function objectionToPoll(message: Buffer, ownQueues: () => Promise<readonly string[]>): Promise<Objection> {
	const asked = polledQueues(message);
	if (asked === undefined || asked.length === 0) return 'no poll for a queue';
	const own = await ownQueues().catch(() => undefined);
	if (own === undefined) return 'config.yaml, which names its id, cannot be read';
	if (own.length === 0) return 'its id is not known here: hosts of config.yaml does not name it';
	const strange = asked.find(name => !own.includes(name));
	return strange === undefined ? undefined : 'not a queue of this host';
}
