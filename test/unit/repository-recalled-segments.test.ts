import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pageFrameBytes } from '../../repository/format/frame-table.ts';
import { keys } from '../../repository/format/keys.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { ChunkStorer } from '../../repository/import/chunk-storer.ts';
import { importDisk } from '../../repository/import/import-disk.ts';
import type { ImportJournal } from '../../repository/import/journal.ts';
import { recalledSegments } from '../../repository/import/recalled-segments.ts';
import { SegmentThreads } from '../../repository/import/segment-threads.ts';
import { segmentOf } from '../../repository/import/segments.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { collect, noise, wholeSource } from '../equipment/repositories.ts';

const chunkSizeBytes = 4096;
const map = pageMapOf({ sizeBytes: 100 * chunkSizeBytes - 5, chunkSizeBytes });

test('`recalledSegments` cuts segments where what was told begins and ends, and asks for each chunk once, in order', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 8 }),
			fc.array(fc.boolean(), { minLength: 100, maxLength: 100 }),
			async (counts, isTold) => {
				const segments = async function* () {
					let next = 0;
					for (const count of counts) {
						yield segmentOf(map, next, count);
						next += count;
					}
				};
				const asked: number[] = [];
				const recall = async (index: number) => {
					asked.push(index);
					return isTold[index] ? ('zero' as const) : undefined;
				};
				const cut = await collect(recalledSegments(segments(), map, recall));
				const total = counts.reduce((sum, count) => sum + count, 0);
				assert.deepEqual(asked, [...Array(total).keys()]);
				let next = 0;
				for (const { segment, told } of cut) {
					assert.deepEqual(segment, segmentOf(map, next, segment.count));
					for (let index = next; index < next + segment.count; index++) assert.equal(told !== undefined, isTold[index]);
					assert.equal(told?.length ?? segment.count, segment.count);
					next += segment.count;
				}
				assert.equal(next, total);
				assert.ok(cut.length <= total);
			},
		),
	);
});

test('`importDisk` closes the open pack when too many chunks wait for it', async () => {
	const store = new MemoryStore();
	const known = { inBase: async () => undefined, anywhere: async () => undefined };
	const common = { packBytes: 2 ** 30, known, writeIndex: async () => {} };
	const data = new ChunkStorer(store, { ...common, kind: 'chunk', frameSizeBytes: 16_384 });
	const pages = new ChunkStorer(store, { ...common, kind: 'page', frameSizeBytes: pageFrameBytes });
	const packs = async () => (await collect(store.list(keys.packs))).length;
	const journal: ImportJournal = {
		recall: async () => undefined,
		add: async () => {},
		endDisk: async () => {},
		packStored: async () => {},
		waiting: 65_536,
		ended: new AbortController().signal,
		close: async () => {},
	};
	const importWith = (waiting: number) =>
		importDisk({
			disk: 0,
			source: wholeSource(noise(300 * chunkSizeBytes, waiting)),
			chunkSizeBytes,
			frameSizeBytes: 16_384,
			data,
			pages,
			journal: { ...journal, waiting },
			known: { isUsable: async () => true },
			base: { disk: () => ({ why: 'there is none' }) },
			threads: new SegmentThreads({ chunkSizeBytes, frameSizeBytes: 16_384 }),
			signal: new AbortController().signal,
			onProgress: () => {},
		});
	await importWith(65_536);
	assert.equal(await packs(), 0);
	await importWith(65_537);
	assert.equal(await packs(), 2, 'one for each read of 256 chunks');
	await data.flush();
	assert.equal(await packs(), 2);
});
