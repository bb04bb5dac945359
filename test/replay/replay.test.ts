import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import * as z from 'zod';
import { cacheDirectory } from '../../system/installation.ts';
import { workflowBundle } from '../../workers/bundle.ts';

const histories = fileURLToPath(new URL('../histories/', import.meta.url));

before(() => {
	Runtime.install({ logger: new DefaultLogger('ERROR') });
});

const startedSchema = z.looseObject({
	workflowExecutionStartedEventAttributes: z.looseObject({ workflowId: z.string() }),
});
const historySchema = z.looseObject({ events: z.tuple([startedSchema]).rest(z.unknown()) });

const read = async (name: string): Promise<unknown> => JSON.parse(await readFile(join(histories, name), 'utf8'));

test('every recorded history replays with the workflows of this checkout', async () => {
	const { code } = await workflowBundle(cacheDirectory());
	const names = (await readdir(histories)).filter(name => name.endsWith('.json'));
	assert.ok(names.includes('recover-0.0.0.json'), 'the histories are missing');
	for (const name of names) {
		const history = await read(name);
		const [started] = historySchema.parse(history).events;
		// By itself the SDK takes an id of its own for it, which no recovery has.
		const { workflowId } = started.workflowExecutionStartedEventAttributes;
		await Worker.runReplayHistory({ workflowBundle: { code } }, history, workflowId);
	}
});

test('a workflow that does another first step than the recorded one is found out', async () => {
	const workflowsPath = fileURLToPath(new URL('../equipment/drifted-workflow.ts', import.meta.url));
	const { code } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
	await assert.rejects(
		async () => Worker.runReplayHistory({ workflowBundle: { code } }, await read('recover-0.0.0.json')),
		DeterminismViolationError,
	);
});
