import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DefaultFailureConverter, defaultPayloadConverter } from '@temporalio/common';
import { documentOf } from '../../workflows/failures.ts';

/** As the server tells it, and the SDK reads it. */
function timedOut(cause?: { message: string; applicationFailureInfo: { type: string } }): Error {
	const timeoutFailureInfo = { timeoutType: 2 };
	const activityFailureInfo = { activityType: { name: 'power' }, activityId: '1' };
	return new DefaultFailureConverter().failureToError(
		{
			message: 'Activity task timed out',
			activityFailureInfo,
			cause: { message: 'Not enough time to schedule next retry', timeoutFailureInfo, ...(cause && { cause }) },
		},
		defaultPayloadConverter,
	);
}

test('`documentOf` a step that ran out of time says what its last attempt met', () => {
	const met = { message: 'no answer within 12000 ms', applicationFailureInfo: { type: 'supervisor_unreachable' } };
	assert.deepEqual(documentOf(timedOut(met)), {
		code: 'timeout',
		message: 'power: not done in time; the last attempt failed: no answer within 12000 ms',
	});
});

test('`documentOf` a step that nobody took says that its worker is missing', () => {
	assert.match(documentOf(timedOut()).message, /^power: .*its worker died, hangs or is missing$/);
});
