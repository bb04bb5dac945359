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

test('`ReadAhead.note` of sequential reads opens a window that doubles up to its bound', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 11, 12, 13, 14, 15]), '. 12-13 14-16 17-21 22-22 23-23');
});

test('`ReadAhead.note` of reads within one chunk asks for nothing more', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 10, 11, 11, 11]), '. . 12-13 . .');
});

test('`ReadAhead.note` of random reads asks for nothing', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 90, 7, 55, 3]), '. . . . .');
});

test('`ReadAhead.note` tells several streams apart', () => {
	assert.equal(ahead(new ReadAhead(8), [10, 500, 11, 501, 12, 502]), '. . 12-13 502-503 14-16 504-506');
});

test('`ReadAhead.note` of several chunks continues a stream that they overlap', () => {
	const readAhead = new ReadAhead(8);
	readAhead.note(0, 1);
	assert.deepEqual(readAhead.note(1, 3), { from: 4, to: 6 });
});

test('`ReadAhead` with a bound of 0 asks for nothing', () => {
	assert.equal(ahead(new ReadAhead(0), [1, 2, 3, 4]), '. . . .');
});
