import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ReadAhead } from '../../movers/mount-mover/read-ahead.ts';

/** All that is asked for ahead of these reads of single chunks, in order. */
function ahead(readAhead: ReadAhead, reads: readonly number[]): string {
	return reads
		.map(chunk => readAhead.note(chunk, chunk))
		.map(span => (span ? `${span.from}-${span.to - 1}` : '.'))
		.join(' ');
}

test('sequential reads open a window that doubles up to its bound', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 11, 12, 13, 14, 15]), '. 12-13 14-16 17-21 22-22 23-23');
});

test('reads within one chunk ask for nothing more', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 10, 11, 11, 11]), '. . 12-13 . .');
});

test('random reads ask for nothing', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 90, 7, 55, 3]), '. . . . .');
});

test('several streams are told apart', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 500, 11, 501, 12, 502]), '. . 12-13 502-503 14-16 504-506');
});

test('reads of several chunks continue a stream that they overlap', () => {
	const readAhead = new ReadAhead(8);
	readAhead.note(0, 1);
	assert.deepEqual(readAhead.note(1, 3), { from: 4, to: 6 });
});

test('a bound of nothing asks for nothing', () => {
	assert.equal(ahead(new ReadAhead(0), [1, 2, 3, 4]), '. . . .');
});
