import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { importInput, importWorkflow } from '../equipment/import-documents.ts';
import { toPayload } from '../equipment/payloads.ts';
import { Sandbox } from '../equipment/sandbox.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const { maxRateBytes: _said, ...meant } = importInput;

async function started() {
	const input = { ...meant, requestedBy: 'ann' };
	const run = await sandbox.start('scheduledImport', [input], 'import-schedule/web-2026-11-22T03:00:00Z');
	const [child] = run.outside.children;
	assert.ok(child);
	return { run, child };
}

async function ended(view: object) {
	const { run, child } = await started();
	await run.activate([{ resolveChildWorkflowExecutionStart: run.outside.begun(child, true) }]);
	assert.equal(run.closed, undefined);
	await run.activate([
		{ resolveChildWorkflowExecution: { seq: child.seq, result: { completed: { result: toPayload(view) } } } },
	]);
	return run;
}

test('a schedule starts the import of its source under the name of its machine, and lasts as long', async () => {
	const { child } = await started();
	const abandon = 2; // ParentClosePolicy of temporal/api/enums/v1/workflow.proto
	assert.deepEqual([child.workflowId, child.memo['requestedBy'], child.onClose], [importWorkflow, 'ann', abandon]);
	const run = await ended({ outcome: 'imported', failure: null });
	assert.deepEqual(run.result, { outcome: 'imported', failure: null });
});

test('a schedule whose import has failed fails as that has', async () => {
	const run = await ended({ outcome: 'failed', failure: { code: 'moment_lost', message: 'why' } });
	assert.deepEqual([run.closed, run.failureCode], ['failed', 'moment_lost']);
});

test('a schedule whose machine a person backs up leaves that alone, and says so', async () => {
	const { run, child } = await started();
	await run.activate([{ resolveChildWorkflowExecutionStart: run.outside.begun(child, false) }]);
	assert.deepEqual([run.closed, run.failureCode], ['failed', 'name_conflict']);
});
