import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { TargetGroup } from '../../movers/migration-mover/target-group.ts';
import { writeError } from '../../movers/write-error.ts';

test('`TargetGroup.ranges` are exactly the chunks that were added, with neighbours as one', () => {
	const range = fc.record({ first: fc.nat(100), count: fc.integer({ min: 1, max: 20 }) });
	fc.assert(
		fc.property(fc.array(range), ranges => {
			const group = new TargetGroup();
			const added = new Set<number>();
			for (const { first, count } of ranges) {
				group.add({ first, count }, 1);
				for (let n = 0; n < count; n += 1) added.add(first + n);
			}
			const merged = group.ranges();
			const recorded = merged.flatMap(({ first, count }) => Array.from({ length: count }, (_, n) => first + n));
			assert.deepEqual(
				recorded,
				[...added].toSorted((a, b) => a - b),
			);
			for (const [n, { first }] of merged.entries()) {
				const before = merged[n - 1];
				if (before) assert.ok(before.first + before.count < first, 'neighbours are one range');
			}
			assert.equal(group.bytes, ranges.length);
			assert.equal(group.empty, ranges.length === 0);
		}),
	);
});

test('`writeError` of a full file system or quota is `space_short`, of every other failure `io_failed`', () => {
	for (const code of ['ENOSPC', 'EDQUOT'])
		assert.equal(writeError('/t', 'write', Object.assign(new Error(code), { code })).code, 'space_short');
	assert.equal(writeError('/t', 'write', Object.assign(new Error('EIO'), { code: 'EIO' })).code, 'io_failed');
});
