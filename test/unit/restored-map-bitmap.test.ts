import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RestoredBitmap } from '../../movers/restored-map/bitmap.ts';

const chunkCount = 150;
const ranges = fc.array(
	fc
		.tuple(fc.nat(chunkCount - 1), fc.integer({ min: 1, max: 60 }))
		.map(([first, count]) => ({ first, count: Math.min(count, chunkCount - first) })),
	{ maxLength: 12 },
);

test('`RestoredBitmap` agrees with a set of chunks, whatever ranges overlap', () => {
	fc.assert(
		fc.property(ranges, list => {
			const bitmap = new RestoredBitmap(chunkCount);
			const plain = new Set<number>();
			for (const range of list) {
				bitmap.set(range);
				for (let chunk = range.first; chunk < range.first + range.count; chunk += 1) plain.add(chunk);
			}
			for (let chunk = 0; chunk < chunkCount; chunk += 1) assert.equal(bitmap.has(chunk), plain.has(chunk));
			assert.equal(bitmap.restoredChunks, plain.size);
			assert.equal(bitmap.complete, plain.size === chunkCount);
		}),
	);
});

test('`RestoredBitmap.endOfRun` and `nextMissing` find what a look at each chunk finds', () => {
	fc.assert(
		fc.property(ranges, fc.nat(chunkCount - 1), fc.integer({ min: 1, max: chunkCount }), (list, from, span) => {
			const bitmap = new RestoredBitmap(chunkCount);
			for (const range of list) bitmap.set(range);
			const limit = Math.min(from + span, chunkCount);
			let end = from + 1;
			while (end < limit && bitmap.has(end) === bitmap.has(from)) end += 1;
			assert.equal(bitmap.endOfRun(from, limit), end);
			let missing = from;
			while (missing < limit && bitmap.has(missing)) missing += 1;
			assert.equal(bitmap.nextMissing(from, limit), missing);
		}),
	);
});

test('`RestoredBitmap.nextMissing` finds the last chunk of a 2 TiB disk', () => {
	const bitmap = new RestoredBitmap(16 * 1024 * 1024);
	bitmap.set({ first: 0, count: bitmap.chunkCount - 1 });
	assert.equal(bitmap.nextMissing(0), bitmap.chunkCount - 1);
	assert.equal(bitmap.complete, false);
});
