import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pageMapOf } from '../../repository/format/page-map.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import { segmentsOf } from '../../repository/import/segments.ts';
import { collect } from '../equipment/repositories.ts';

async function* extentsOf(lengths: readonly (readonly [number, SourceExtent['kind']])[]): AsyncGenerator<SourceExtent> {
	let offsetBytes = 0;
	for (const [lengthBytes, kind] of lengths) {
		yield { offsetBytes, lengthBytes, kind };
		offsetBytes += lengthBytes;
	}
}

test('`segmentsOf` covers every chunk that is not zero once, in aligned reads, and tells which are unchanged as a whole', async () => {
	const kinds = fc.constantFrom<SourceExtent['kind'][]>('data', 'zero', 'unchanged');
	const anyLength = fc.oneof(
		fc.integer({ min: 1, max: 100_000 }),
		fc.integer({ min: 1, max: 24 }).map(count => count * 1024),
	);
	const anyExtents = fc.array(fc.tuple(anyLength, kinds), { minLength: 1, maxLength: 20 });
	await fc.assert(
		fc.asyncProperty(anyExtents, async lengths => {
			const sizeBytes = lengths.reduce((sum, [length]) => sum + length, 0);
			const map = pageMapOf({ sizeBytes, chunkSizeBytes: 4096 });
			const saidOf: Set<string>[] = Array.from({ length: map.chunkCount }, () => new Set());
			let at = 0;
			for (const [length, kind] of lengths) {
				const from = Math.floor(at / 4096);
				at += length;
				for (let index = from; index * 4096 < at; index++) saidOf[index]?.add(kind);
			}
			const wanted = saidOf.flatMap((said, index) => (said.size === 1 && said.has('zero') ? [] : [index]));
			const found: number[] = [];
			for await (const segment of segmentsOf(extentsOf(lengths), map, 8)) {
				const { firstIndex, count, offsetBytes, lengthBytes, isUnchanged } = segment;
				if (!isUnchanged) assert.equal(Math.floor(firstIndex / 8), Math.floor((firstIndex + count - 1) / 8));
				assert.equal(offsetBytes, firstIndex * 4096);
				assert.equal(lengthBytes, Math.min(sizeBytes, (firstIndex + count) * 4096) - offsetBytes);
				for (let index = firstIndex; index < firstIndex + count; index++) {
					found.push(index);
					assert.equal(isUnchanged, saidOf[index]?.size === 1 && saidOf[index]?.has('unchanged'));
				}
			}
			assert.deepEqual(found, wanted);
		}),
	);
});

test('`segmentsOf` gives out what is unchanged at once, however it is told, but for the end of the last leaf', async () => {
	const map = pageMapOf({ sizeBytes: 2 ** 46, chunkSizeBytes: 128 * 1024 });
	const whole = await collect(segmentsOf(extentsOf([[2 ** 46, 'unchanged']]), map, 8));
	assert.deepEqual(
		whole.map(({ firstIndex, count }) => [firstIndex, count]),
		[[0, 2 ** 29]],
	);
	const mib = 2 ** 20;
	const pieces = Array.from({ length: 100 }, (): [number, 'unchanged'] => [3 * mib + 5, 'unchanged']);
	const rest: [number, 'zero'] = [2 ** 46 - 100 * (3 * mib + 5), 'zero'];
	const told = await collect(segmentsOf(extentsOf([...pieces, rest]), map, 8));
	assert.deepEqual(
		told.map(({ firstIndex, count, isUnchanged }) => [firstIndex, count, isUnchanged]),
		[
			[0, 1024, true],
			[1024, 1024, true],
			[2048, 352, true],
			[2400, 1, false],
		],
	);
});

test('`segmentsOf` of extents with a gap, or that end early or late, is `source_invalid`', async () => {
	const map = pageMapOf({ sizeBytes: 10_000, chunkSizeBytes: 4096 });
	const gap = async function* (): AsyncGenerator<SourceExtent> {
		yield { offsetBytes: 0, lengthBytes: 4096, kind: 'data' };
		yield { offsetBytes: 5000, lengthBytes: 5000, kind: 'data' };
	};
	await assert.rejects(collect(segmentsOf(gap(), map, 8)), { code: 'source_invalid' });
	await assert.rejects(collect(segmentsOf(extentsOf([[9999, 'data']]), map, 8)), { code: 'source_invalid' });
	await assert.rejects(collect(segmentsOf(extentsOf([[10_001, 'zero']]), map, 8)), { code: 'source_invalid' });
});
