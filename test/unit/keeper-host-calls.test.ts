import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isHostCall } from '../../keeper/door/host-calls.ts';

const service = '/temporal.api.workflowservice.v1.WorkflowService';

test('`isHostCall` lets a host report to workflows, and give no order to one, ask it nothing and start none', () => {
	assert.ok(isHostCall(`${service}/SignalWorkflowExecution`));
	const refused = [
		'UpdateWorkflowExecution',
		'PollWorkflowExecutionUpdate',
		'ExecuteMultiOperation',
		'SignalWithStartWorkflowExecution',
		'StartWorkflowExecution',
		'QueryWorkflow',
		'ResetWorkflowExecution',
		'TerminateWorkflowExecution',
		'PollWorkflowTaskQueue',
	];
	assert.deepEqual(
		refused.filter(call => isHostCall(`${service}/${call}`)),
		[],
	);
});
