import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ActivityCancellationDetails, ApplicationFailure, CancelledFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { attempt } from '../../activities/attempt.ts';
import { hostAttempt } from '../../activities/host-attempt.ts';
import { RouseError } from '../../model/errors.ts';
import { logAttributes } from '../../workers/activity-log.ts';
import { recoveryWorkflowId } from '../../workflows/contracts.ts';
import { testHostId } from '../equipment/recovery-request.ts';

/** The SDK logs every failed attempt by itself. */
const quiet = () => new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
const waitForAbort = () => attempt(({ signal }) => delay(60_000, undefined, { signal }));

async function interrupted(details: ConstructorParameters<typeof ActivityCancellationDetails>[0]): Promise<unknown> {
	const environment = quiet();
	const running = environment.run(waitForAbort);
	running.catch(() => undefined);
	environment.cancel('CANCELLED', new ActivityCancellationDetails(details));
	return running.then(
		() => undefined,
		(error: unknown) => error,
	);
}

test('an AbortError of a cancelled attempt becomes the cancellation', async () => {
	assert.ok((await interrupted({ cancelRequested: true })) instanceof CancelledFailure);
});

test('a worker that shuts down fails the attempt so that another worker takes it', async () => {
	const error = await interrupted({ workerShutdown: true });
	assert.ok(error instanceof ApplicationFailure);
	assert.deepEqual([error.type, error.nonRetryable], ['interrupted', false]);
});

for (const [code, nonRetryable] of [
	['supervisor_unreachable', false],
	['chunk_bad', true],
	['identity_conflict', true],
] as const)
	test(`${code} is tried again: ${!nonRetryable}`, async () => {
		const failing = () =>
			attempt(() => Promise.reject(new RouseError(code, 'message', { hint: 'hint', details: { disk: 'disk0' } })));
		await assert.rejects(quiet().run(failing), (error: unknown) => {
			assert.ok(error instanceof ApplicationFailure);
			assert.deepEqual([error.type, error.nonRetryable], [code, nonRetryable]);
			assert.deepEqual(error.details?.[0], { code, message: 'message', hint: 'hint', details: { disk: 'disk0' } });
			return true;
		});
	});

test('what is logged during an attempt says of which recovery, which step and which attempt', async () => {
	const logged: Record<string, unknown>[] = [];
	const logger = new DefaultLogger('INFO', ({ message, meta }) => logged.push({ message, ...meta }));
	const workflowExecution = { workflowId: recoveryWorkflowId('web01-r1'), runId: 'run-1' };
	const info = { activityType: 'snapshot', attempt: 3, workflowExecution, inWorkflow: true };
	await new MockActivityEnvironment(info, { logger, interceptors: [logAttributes] }).run(() => attempt(async () => 1));
	assert.equal(logged.length, 1);
	assert.partialDeepStrictEqual(logged, [
		{ message: 'step is done', recovery: 'web01-r1', step: 'snapshot', attempt: 3, runId: 'run-1' },
	]);
	assert.ok(!('taskToken' in (logged[0] ?? {})));
});

test('a step for another host is refused before anything is done', async () => {
	let done = false;
	const nobody = () => Promise.reject(new Error('not to be called'));
	const supervisor = {
		step: nobody,
		host: nobody,
		hardware: nobody,
		recovery: nobody,
		recoveries: nobody,
		agent: nobody,
		incidents: nobody,
		capacity: nobody,
		leasesGone: nobody,
		agentRun: nobody,
		screenshot: nobody,
		console: nobody,
	};
	const step = hostAttempt(
		{ hostId: testHostId, supervisor, recoveries: 1, reportCapacity: nobody, checks: '/nowhere' },
		async () => {
			done = true;
		},
	);
	const input = { hostId: 'another', name: 'web01-r1', recoveryId: testHostId, generation: 1 };
	await assert.rejects(quiet().run(step, input), { type: 'identity_conflict' });
	assert.equal(done, false);
});
