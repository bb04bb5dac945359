import assert from 'node:assert/strict';
import { test } from 'node:test';
import { explained, nextText, stepsText } from '../../cli/recover/next-text.ts';

const recovery = { name: 'web01-r1' };

test('what is to be mended comes first, then the command', () => {
	assert.equal(
		nextText({ order: 'retry', first: 'make room in /srv/x' }, 'space_short', recovery),
		'make room in /srv/x, then: rouse recover retry web01-r1',
	);
	assert.equal(nextText({ order: 'retry' }, 'internal', recovery), 'rouse recover retry web01-r1');
});

test('what is damaged can be looked for, whoever said what is to be mended', () => {
	for (const first of ['put pack abc of /r right', undefined])
		assert.match(
			nextText({ order: 'retry', first }, 'chunk_bad', recovery),
			/rouse backup verify names what is damaged\), then: rouse recover retry web01-r1$/,
		);
});

test("the power of a finished machine is its host's", () => {
	const off = { order: 'power-off' } as const;
	assert.equal(nextText(off, 'io_failed', recovery), 'rouse recover power web01-r1 off');
	assert.equal(nextText(off, 'io_failed', { ...recovery, finished: true }), 'rouse host stop web01-r1 --force');
});

test('a document has the order for programs beside the sentence for people', () => {
	const blocked = { code: 'io_failed', reason: 'EIO', next: { order: 'retry', first: 'mend that disk' } } as const;
	assert.deepEqual(explained(blocked, recovery), {
		code: 'io_failed',
		reason: 'EIO',
		order: 'retry',
		next: 'mend that disk, then: rouse recover retry web01-r1',
	});
});

test('steps that can be chosen from are offered with their purpose', () => {
	const discard = { step: 'order', order: 'discard' } as const;
	assert.equal(
		stepsText([{ step: 'order', order: 'migrate' }, discard], 'web01-r1', undefined),
		'keep it: rouse recover migrate web01-r1; throw it away: rouse recover discard web01-r1 --confirm web01-r1',
	);
	assert.equal(
		stepsText([{ step: 'watch' }, discard], 'web01-r1', undefined),
		'rouse recover watch web01-r1; throw it away: rouse recover discard web01-r1 --confirm web01-r1',
	);
	assert.equal(
		stepsText([{ step: 'watch', comes: 'switch' }], 'web01-r1', undefined),
		'it switches by itself: rouse recover watch web01-r1',
	);
	assert.equal(
		stepsText([{ step: 'order', order: 'retry', first: 'mend that disk' }], 'web01-r1', 'io_failed'),
		'mend that disk, then: rouse recover retry web01-r1',
	);
});
