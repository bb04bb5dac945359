import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { toPayload } from '../equipment/payloads.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { drillPlan } from './drill-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const scheduled = { name: 'site', file: 'name: site', requestedBy: 'ann' };

async function planned() {
	const run = await sandbox.start('scheduledDrill', [scheduled], 'drill-schedule/site-2026-11-22T03:00:00Z');
	assert.deepEqual(run.pending('planScheduledDrill').input, scheduled);
	await run.complete('planScheduledDrill', drillPlan({ all: ['a'] }));
	const [child] = run.outside.children;
	assert.ok(child);
	return { run, child };
}

test('a schedule makes its plan at its time, and lasts as long as the drill', async () => {
	const { run, child } = await planned();
	const abandon = 2; // ParentClosePolicy of temporal/api/enums/v1/workflow.proto
	assert.deepEqual([child.workflowId, child.memo['machines'], child.onClose], ['drill/site', 1, abandon]);
	await run.activate([{ resolveChildWorkflowExecutionStart: run.outside.begun(child, true) }]);
	assert.equal(run.closed, undefined);
	const result = { completed: { result: toPayload({ phase: 'over' }) } };
	await run.activate([{ resolveChildWorkflowExecution: { seq: child.seq, result } }]);
	assert.deepEqual(run.result, { phase: 'over' });
});

test('a schedule whose drill a person has started leaves that alone, and says so', async () => {
	const { run, child } = await planned();
	await run.activate([{ resolveChildWorkflowExecutionStart: run.outside.begun(child, false) }]);
	assert.deepEqual([run.closed, run.failureCode], ['failed', 'name_conflict']);
});
