/** temporal/api/workflowservice/v1/service.proto */
const service = '/temporal.api.workflowservice.v1.WorkflowService';

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
	`${service}/PollActivityTaskQueue`,
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

/** `path`: as HTTP/2 has it. */
export function isHostCall(path: string | undefined): boolean {
	return path !== undefined && hostCalls.has(path);
}
