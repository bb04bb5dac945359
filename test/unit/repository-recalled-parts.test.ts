import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { pageFrameBytes } from '../../repository/format/frame-table.ts';
import { keys } from '../../repository/format/keys.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { ChunkStorer } from '../../repository/import/chunk-storer.ts';
import { importDisk } from '../../repository/import/import-disk.ts';
import type { ImportJournal } from '../../repository/import/journal.ts';
import { recalledParts } from '../../repository/import/recalled-parts.ts';
import { SegmentThreads } from '../../repository/import/segment-threads.ts';
import { segmentOf } from '../../repository/import/segments.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { collect, noise, wholeSource } from '../equipment/repositories.ts';

const chunkSizeBytes = 4096;
const map = pageMapOf({ sizeBytes: 100 * chunkSizeBytes - 5, chunkSizeBytes });

test('`recalledParts` cuts a segment where what was told begins and ends, and asks for each chunk once, in order', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.integer({ min: 0, max: 80 }),
			fc.integer({ min: 1, max: 20 }),
			fc.array(fc.boolean(), { minLength: 100, maxLength: 100 }),
			async (first, count, isTold) => {
				const asked: number[] = [];
				const recall = async (index: number) => {
					asked.push(index);
					return isTold[index] ? ('zero' as const) : undefined;
				};
				const cut = await collect(recalledParts(segmentOf(map, first, count), map, recall));
				assert.deepEqual(
					asked,
					Array.from({ length: count }, (_, index) => first + index),
				);
				let next = first;
				for (const [position, part] of cut.entries()) {
					const { kind, segment } = part;
					assert.deepEqual(segment, segmentOf(map, next, segment.count));
					for (let index = next; index < next + segment.count; index++)
						assert.equal(kind, isTold[index] ? 'told' : 'read');
					if (part.kind === 'told') assert.equal(part.entries.length, segment.count);
					assert.notEqual(kind, cut[position - 1]?.kind, 'neighbours of one kind are one');
					next += segment.count;
				}
				assert.equal(next, first + count);
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
		nextReference: async (_disk, from, count) => from + count,
		add: async () => {},
		addBase: async () => {},
		endDisk: async () => {},
		packStored: async () => {},
		waiting: 65_536,
		ended: new AbortController().signal,
		close: async () => {},
	};
	const none = 'there is none';
	const importWith = (waiting: number) =>
		importDisk({
			disk: 0,
			source: wholeSource(noise(300 * chunkSizeBytes, waiting)),
			chunkSizeBytes,
			frameSizeBytes: 16_384,
			data,
			pages,
			journal: { ...journal, waiting },
			known: { isUsable: async () => true, unusableIn: async () => [] },
			base: { disk: () => ({ why: none }), noteDamage: () => {}, damageText: none, why: none },
			threads: new SegmentThreads({ chunkSizeBytes, frameSizeBytes: 16_384 }),
			signal: new AbortController().signal,
			warn: text => assert.fail(text),
			onProgress: () => {},
		});
	await importWith(65_536);
	assert.equal(await packs(), 0);
	await importWith(65_537);
	assert.equal(await packs(), 2, 'one for each read of 256 chunks');
	await data.flush();
	assert.equal(await packs(), 2);
});
