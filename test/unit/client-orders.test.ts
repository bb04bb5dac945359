import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client, Connection, ServiceError } from '@temporalio/client';
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
