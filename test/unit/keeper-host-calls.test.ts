import assert from 'node:assert/strict';
import { test } from 'node:test';
import { objectionTo } from '../../keeper/door/host-calls.ts';

const service = '/temporal.api.workflowservice.v1.WorkflowService';

const objection = (call: string) => objectionTo(`${service}/${call}`, async () => []);

test('`objectionTo` lets a host report to workflows, and give no order to one, ask it nothing and start none', () => {
	assert.equal(objection('SignalWorkflowExecution'), undefined);
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
		refused.filter(call => objection(call) !== 'no call of a host worker'),
		[],
	);
});
