import assert from 'node:assert/strict';
import { test } from 'node:test';
import { followRuns } from '../../client/history.ts';
import { payloadReader } from '../../client/payloads.ts';
import { ClientCodec } from '../../system/payload-codec.ts';

const startedAfter = (continuedExecutionRunId: string) => [
	{ workflowExecutionStartedEventAttributes: { continuedExecutionRunId } },
];

test('runs are told oldest first, from the first that the server still has', async () => {
	const runs = new Map([
		['third', startedAfter('second')],
		['second', startedAfter('first')],
	]);
	const entries = await followRuns('third', async runId => runs.get(runId), payloadReader(new ClientCodec()));
	assert.deepEqual(
		entries.map(({ runId, kind }) => [runId, kind]),
		[
			['second', 'continued'],
			['third', 'continued'],
		],
	);
});
