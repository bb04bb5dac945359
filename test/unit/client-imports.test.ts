/** What the client makes of Temporal's answers about imports and drills. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import {
	Client,
	Connection,
	ServiceError,
	WorkflowNotFoundError,
	WorkflowUpdateRPCTimeoutOrCancelledError,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import { Drills } from '../../client/drills.ts';
import { Imports } from '../../client/imports.ts';
import { ClientCodec } from '../../system/payload-codec.ts';
import { importWorkflow, repositoryId } from '../equipment/import-documents.ts';

const name = { machine: 'web01', repositoryId };
const unanswered = new WorkflowUpdateRPCTimeoutOrCancelledError('4 DEADLINE_EXCEEDED: Deadline exceeded');

const describing = (status: string, pendingActivities: object[] = []) => ({
	workflowId: importWorkflow,
	runId: 'first',
	status: { name: status },
	startTime: new Date('2026-11-20T03:00:00.000Z'),
	raw: { pendingActivities },
});

type Handle = Record<string, () => Promise<unknown>>;

/** With a handle that answers so. */
function temporalOf(t: TestContext, handle: Handle | ((runId?: string) => Handle)) {
	const connection = Connection.lazy({ address: '127.0.0.1:1' });
	const client = new Client({ connection });
	t.after(() => connection.close());
	t.mock.method(client.workflow, 'getHandle', (_id: string, runId?: string) =>
		typeof handle === 'function' ? handle(runId) : handle,
	);
	const target = { address: '127.0.0.1:1', namespace: 'default' };
	return { client, target, codec: new ClientCodec(), caller: 'ann', close: () => connection.close() };
}

function importsOf(...how: Parameters<typeof temporalOf>): Imports {
	return new Imports(temporalOf(...how));
}

test('`Imports.cancel` and `Drills.cancel` that no worker takes are worker_missing, and not temporal_unreachable', async t => {
	const describe = async () => describing('RUNNING');
	const executeUpdate = async () => Promise.reject(unanswered);
	const temporal = temporalOf(t, { describe, executeUpdate });
	await assert.rejects(new Imports(temporal).cancel(name, {}), { code: 'worker_missing' });
	await assert.rejects(new Drills(temporal).cancel('weekly', {}), { code: 'worker_missing' });
});

test('`Imports.cancel` that comes too late is phase_wrong, and one that reaches no server temporal_unreachable', async t => {
	const statuses = ['RUNNING', 'RUNNING', 'COMPLETED'];
	const describe = async () => describing(statuses.shift() ?? '');
	const executeUpdate = async () => Promise.reject(unanswered);
	await assert.rejects(importsOf(t, { describe, executeUpdate }).cancel(name, {}), { code: 'phase_wrong' });
	const away = async () => Promise.reject(new ServiceError('14 UNAVAILABLE'));
	await assert.rejects(importsOf(t, { describe: away }).cancel(name, {}), { code: 'temporal_unreachable' });
});

test('`Imports.view` tells a step that waits for a free worker as that, and its failures in our words', async t => {
	const progress = { doneBytes: 1, totalBytes: 2, readBytes: 1, newBytes: 1, rateBytes: 0, etaMs: null };
	const beat = defaultPayloadConverter.toPayload({ progress, furthestBytes: 1, furthestAttempt: 1 });
	const heartbeat = { message: 'activity Heartbeat timeout', timeoutFailureInfo: { timeoutType: 4 } };
	const pending = (state: number, more = {}) => [{ attempt: 1, state, ...more }];
	const seen = async (...activities: object[]) => {
		const describe = async () => describing('RUNNING', activities);
		const query = async () => ({ phase: 'copying' });
		const { waits, attempt, lastFailure, progress: told } = await importsOf(t, { describe, query }).view(name);
		return [waits, attempt, lastFailure, told];
	};
	assert.deepEqual(await seen(), [false, 1, null, null]);
	assert.deepEqual(await seen(...pending(1)), [true, 1, null, null]);
	const later = { attempt: 2, lastFailure: heartbeat, heartbeatDetails: { payloads: [beat] } };
	assert.deepEqual(await seen(...pending(2, later)), [false, 2, 'no heartbeat: the worker died or hangs', progress]);
	assert.deepEqual((await seen(...pending(3)))[0], false, 'its cancellation is under way');
});

test('`Imports.view` of one that Temporal does not know is import_unknown', async t => {
	const describe = async () => Promise.reject(new WorkflowNotFoundError('no', importWorkflow, undefined));
	await assert.rejects(importsOf(t, { describe }).view(name), { code: 'import_unknown' });
});

test('`Imports.view` of one import never tells of the next, which a schedule may begin between two calls', async t => {
	const asked: string[] = [];
	const imports = importsOf(t, (runId = 'latest') => {
		const answers = (call: string, answer: unknown) => async () => {
			asked.push(`${call} ${runId}`);
			return answer;
		};
		return {
			describe: answers('describe', describing('COMPLETED')),
			result: answers('result', { phase: 'over' }),
			fetchHistory: answers('history', { events: [] }),
		};
	});
	const { runId } = await imports.view(name);
	await imports.view({ ...name, runId });
	await imports.history(name);
	assert.deepEqual(asked.slice(0, 4), ['describe latest', 'result first', 'describe first', 'result first']);
	assert.deepEqual(asked.slice(4), ['describe latest', 'history first']);
});
