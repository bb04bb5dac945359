/** A drill that is ended by force on a real server: more recoveries than the server looks after at once itself. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Context } from '@temporalio/activity';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { DrillPlan } from '../../model/drill.ts';
import { cacheDirectory } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { recoveryWorkflowId, searchAttributes, taskQueues } from '../../workflows/contracts.ts';
import { drillWorkflow, drillWorkflowId } from '../../workflows/drill-contracts.ts';
import { batchPlan } from '../equipment/batch-site.ts';
import { TestInstallation } from '../equipment/temporal.ts';

/** Above ten a worker of the server's own cancels children, one that need not be there (ParentClosePolicyThreshold). */
const names = Array.from({ length: 15 }, (_, index) => `m${index}`);

test('all recoveries of a drill that is terminated are on their way out', async t => {
	const place = await TestInstallation.create();
	t.after(() => place.remove());
	await place.startServer();
	const { client } = await place.connect();
	const connection = await NativeConnection.connect({ address: place.target.address });
	t.after(() => connection.close());
	const never = () => Context.current().cancelled;
	const prepareItems = async ({ items }: { items: { name: string }[] }) =>
		items.map(({ name }) => ({ name, is: 'free' as const }));
	const worker = await Worker.create({
		connection,
		namespace: place.target.namespace,
		taskQueue: taskQueues.control,
		workflowBundle: { code: (await workflowBundle(cacheDirectory())).code },
		activities: { prepareItems, plan: never },
	});
	await worker.runUntil(async () => {
		const batch = batchPlan({ all: names });
		const plan: DrillPlan = {
			batch: { ...batch, common: { ...batch.common, drill: { name: batch.name } } },
			tests: {},
			withinMs: 3_600_000,
			keep: 1,
		};
		const drill = await client.workflow.start(drillWorkflow, {
			workflowId: drillWorkflowId(batch.name),
			taskQueue: taskQueues.control,
			args: [{ plan }],
		});
		const phases = () =>
			Promise.all(
				names.map(async name => {
					const found = await client.workflow.getHandle(recoveryWorkflowId(name)).describe();
					return found.typedSearchAttributes.get(searchAttributes.phase);
				}),
			).catch(() => []);
		const all = (wanted: string) => async () => {
			const found = await phases();
			return found.length === names.length && found.every(phase => phase === wanted);
		};
		await waitFor('all to be begun', all('planned'), { timeoutMs: 60_000, everyMs: 100 });
		await drill.terminate('test');
		await waitFor('all to be thrown away', all('discarding'), { timeoutMs: 60_000, everyMs: 100 });
		assert.deepEqual(new Set(await phases()), new Set(['discarding']));
	});
});
