import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fewLines } from '../../activities/import/few-lines.ts';

test('`fewLines` keeps as many as a history bears, and how many there were is told', () => {
	assert.deepEqual(fewLines(['a', 'b']), ['a', 'b']);
	const all = Array.from({ length: 32 }, (_, index) => String(index));
	assert.deepEqual(fewLines(all), all);
	const few = fewLines(Array.from({ length: 100_000 }, () => '\u{1f4be}'.repeat(1_000)));
	assert.ok(few.every(line => line.length <= 400 && line.isWellFormed()));
	assert.deepEqual([few.length, few.at(-1)], [32, 'and 99969 more']);
});
