import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tooLate } from '../../client/orders.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { summaryOf } from '../equipment/recovery-summary.ts';

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
