import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldsOf } from '../../workers/runtime.ts';

test('`fieldsOf` names recovery and step of an activity, keeps its attempt, and leaves its token out', () => {
	const meta = { workflowId: 'recovery/web01-r1', activityType: 'powerOn', attempt: 2, taskToken: 'secret' };
	assert.deepEqual(fieldsOf(meta), {
		recovery: 'web01-r1',
		workflowId: 'recovery/web01-r1',
		step: 'powerOn',
		attempt: 2,
	});
});

test('`fieldsOf` adds nothing to a line that is about no workflow', () => {
	assert.deepEqual(fieldsOf({ taskQueue: 'control' }), { taskQueue: 'control' });
	assert.deepEqual(fieldsOf(), {});
});
