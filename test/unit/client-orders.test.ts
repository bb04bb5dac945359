import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection, ServiceError } from '@temporalio/client';
import { isMeant, untilTaken, wasNotReady } from '../../client/order-taken.ts';
import { tooLate } from '../../client/orders.ts';
import { RecoveryWorkflows } from '../../client/workflows.ts';
import { RouseError } from '../../model/errors.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';
import { ClientCodec } from '../../system/payload-codec.ts';

test('an order that nobody takes any more says how the recovery stands', () => {
	const { code, message, details } = tooLate(summaryOf(makeRequest()), 'discard');
	assert.deepEqual([code, message], ['phase_wrong', 'recovery web01-r1 is finished: it is too late for discard']);
	assert.deepEqual(details, { recovery: 'web01-r1', phase: 'finished', workflow: 'COMPLETED', order: 'discard' });
});

test('an order to a workflow that was ended by force says that, not that the phase is over', () => {
	const { message } = tooLate(summaryOf(makeRequest(), { phase: 'migrating', workflow: 'TERMINATED' }), 'discard');
	assert.match(message, /ended by force in Temporal \(terminated\)/);
	assert.doesNotMatch(message, /too late/);
});

test("a call that Temporal's client tells to have failed is `temporal_unreachable`, whatever lies below it", async () => {
	const connection = Connection.lazy({ address: '127.0.0.1:1' });
	const target = { address: '127.0.0.1:1', namespace: 'default' };
	const close = () => connection.close();
	const workflows = new RecoveryWorkflows({
		client: new Client({ connection }),
		target,
		codec: new ClientCodec(),
		caller: 'tester',
		close,
	});
	const failed = new ServiceError('Unexpected error while making gRPC request', { cause: new Error('socket hang up') });
	const error = workflows.translated(failed, 'web01-r1');
	assert.ok(error instanceof RouseError);
	assert.deepEqual([error.code, error.exitCode], ['temporal_unreachable', 8]);
	await close();
});

/** As `executeUpdate` throws what the server answered with gRPC code 9 and the type of its details. */
function refused(type: string): Error {
	const details = Buffer.from(`\x08\x09\x12\x02no\x1a.type.googleapis.com/temporal.api.errordetails.v1.${type}`);
	const cause = Object.assign(new Error('9 FAILED_PRECONDITION: no'), {
		code: 9,
		details: 'no',
		metadata: { get: (key: string) => (key === 'grpc-status-details-bin' ? [details] : []) },
	});
	return new ServiceError('Workflow Update failed', { cause });
}

test('an order is given again while the workflow task that carried it fails, and once when it is refused', async () => {
	const deadline = Date.now() + 60_000;
	const isLost = async (error: unknown) => wasNotReady(error);
	const answers: (Error | string)[] = [refused('WorkflowNotReadyFailure'), refused('WorkflowNotReadyFailure'), 'taken'];
	const give = async () => {
		const answer = answers.shift();
		if (answer instanceof Error) throw answer;
		return answer;
	};
	assert.equal(await untilTaken(give, { isLost, deadline }), 'taken');
	assert.equal(answers.length, 0);

	answers.push(refused('MultiOperationExecutionFailure'), 'taken');
	await assert.rejects(untilTaken(give, { isLost, deadline }), ServiceError);
	assert.deepEqual(answers, ['taken']);
});

test('an order that nothing takes is told when its time is over', async () => {
	const lost = refused('WorkflowNotReadyFailure');
	const give = () => Promise.reject(lost);
	await assert.rejects(untilTaken(give, { isLost: async () => true, deadline: Date.now() + 250 }), lost);
});

test('an order that was lost is meant for no recovery that has taken the name since, nor for one that has ended', () => {
	const givenAtMs = Date.parse('2026-11-20T03:00:00.000Z');
	const requested = (requestedAt: string, workflow: 'RUNNING' | 'COMPLETED' = 'RUNNING') =>
		isMeant({ requestedAt, workflow }, givenAtMs);
	assert.equal(requested('2026-11-20T02:59:59.000Z'), true);
	assert.equal(requested('2026-11-20T03:00:00.100Z'), false);
	assert.equal(requested('2026-11-20T02:59:59.000Z', 'COMPLETED'), false);
});
