import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { planReads } from '../../repository/read-plan.ts';

test('`planReads` covers every reference once, in order, with no read over its bound', () => {
	const anyRefs = fc.array(
		fc.record({
			digest: fc.constant('d'),
			packId: fc.constantFrom('a', 'b'),
			offsetBytes: fc.nat(500_000),
			storedBytes: fc.integer({ min: 1, max: 50_000 }),
		}),
	);
	fc.assert(
		fc.property(anyRefs, refs => {
			const plan = planReads(refs, 100_000);
			assert.deepEqual(
				plan.flatMap(read => read.refs),
				refs,
			);
			for (const read of plan)
				for (const { packId, offsetBytes, storedBytes } of read.refs) {
					assert.equal(packId, read.packId);
					assert.ok(offsetBytes >= read.offsetBytes);
					assert.ok(offsetBytes + storedBytes <= read.offsetBytes + read.lengthBytes);
					assert.ok(read.lengthBytes <= 100_000);
				}
		}),
	);
});
