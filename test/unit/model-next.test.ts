import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nextAfter } from '../../model/next.ts';

test('after an error its hint comes first, then a retry', () => {
	assert.deepEqual(nextAfter({ hint: 'make room in /srv' }), { order: 'retry', first: 'make room in /srv' });
	assert.deepEqual(nextAfter({}), { order: 'retry' });
});

test('the order that an error names in its details is what is next', () => {
	assert.deepEqual(nextAfter({ details: { next: 'discard' } }), { order: 'discard' });
	assert.deepEqual(nextAfter({ details: { next: 'explode' } }), { order: 'retry' });
});

test('a hint that names a command is not kept', () => {
	assert.deepEqual(nextAfter({ hint: 'is it mounted? Else: rouse repo init /r' }), { order: 'retry' });
	assert.deepEqual(nextAfter({ hint: 'run `rouse backup verify`' }), { order: 'retry' });
});
