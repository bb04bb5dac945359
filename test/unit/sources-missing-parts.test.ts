import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MissingParts, piecesOf } from '../../sources/missing-parts.ts';

const diskBytes = 64;
const somewhere = fc.tuple(fc.nat({ max: diskBytes }), fc.nat({ max: 16 }));

test('`piecesOf` cuts a range where what was added to `MissingParts` begins and ends, in order and without gaps', () => {
	fc.assert(
		fc.property(fc.array(somewhere, { maxLength: 12 }), somewhere, (added, [atBytes, lengthBytes]) => {
			const missing = new MissingParts();
			const isMissing = new Set<number>();
			for (const [at, length] of added) {
				missing.add(at, length);
				for (let byte = at; byte < at + length; byte++) isMissing.add(byte);
			}
			let at = atBytes;
			for (const piece of piecesOf({ atBytes, lengthBytes }, missing.ranges())) {
				assert.ok(piece.atBytes === at && piece.lengthBytes > 0);
				for (; at < piece.atBytes + piece.lengthBytes; at++) assert.equal(isMissing.has(at), piece.isMissing);
			}
			assert.equal(at, atBytes + lengthBytes);
		}),
	);
});

test('`MissingParts` gives what touches as one range', () => {
	const missing = new MissingParts();
	for (const at of [8, 0, 4, 20]) missing.add(at, 4);
	missing.add(30, 0);
	assert.deepEqual(missing.ranges(22).at(-1), { atBytes: 20, lengthBytes: 2 });
	assert.equal(missing.ranges(20).length, 1);
	assert.deepEqual(missing.ranges(), [
		{ atBytes: 0, lengthBytes: 12 },
		{ atBytes: 20, lengthBytes: 4 },
	]);
});
