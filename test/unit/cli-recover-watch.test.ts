import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitOf } from '../../cli/recover/watch.ts';

test('a watch ends with the code of the failure, and with a conflict when the workflow was ended by force', () => {
	assert.equal(exitOf({ phase: 'finished', workflow: 'COMPLETED', failure: null }), 0);
	assert.equal(exitOf({ phase: 'failed', workflow: 'FAILED', failure: { code: 'space_short', message: '' } }), 4);
	assert.equal(exitOf({ phase: 'migrating', workflow: 'TERMINATED', failure: null }), 6);
});
