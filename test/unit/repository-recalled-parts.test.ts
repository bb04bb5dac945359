import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { pageFrameBytes } from '../../repository/format/frame-table.ts';
import { keys } from '../../repository/format/keys.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { chunkRefBytes } from '../../repository/format/reference.ts';
import { ChunkStorer } from '../../repository/import/chunk-storer.ts';
import type { DiskSource, SourceExtent } from '../../repository/import/disk-source.ts';
import type { BaseDisk } from '../../repository/import/import-base.ts';
import { importDisk } from '../../repository/import/import-disk.ts';
import type { ImportJournal } from '../../repository/import/journal.ts';
import { recalledParts } from '../../repository/import/recalled-parts.ts';
import { SegmentThreads } from '../../repository/import/segment-threads.ts';
import { segmentOf } from '../../repository/import/segments.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { collect, noise, wholeSource } from '../equipment/repositories.ts';
import { SaidSource } from '../equipment/said-source.ts';

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

test('`importDisk` closes the open pack when too much waits for it, be it read or as in the base', async () => {
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
		waitingBytes: 0,
		ended: new AbortController().signal,
		close: async () => {},
	};
	const none = 'there is none';
	const most = 65_536 * chunkRefBytes;
	const importWith = (told: ImportJournal, source: DiskSource, base: BaseDisk = { why: none }) =>
		importDisk({
			disk: 0,
			source,
			chunkSizeBytes,
			frameSizeBytes: 16_384,
			data,
			pages,
			journal: told,
			known: { isUsable: async () => true, unusableIn: async () => [] },
			base: { disk: () => base, noteDamage: () => {}, damageText: none, why: base.why },
			threads: new SegmentThreads({ chunkSizeBytes, frameSizeBytes: 16_384 }),
			signal: new AbortController().signal,
			warn: text => assert.fail(text),
			onProgress: () => {},
		});
	await importWith({ ...journal, waitingBytes: most }, wholeSource(noise(300 * chunkSizeBytes, 1)));
	assert.equal(await packs(), 0);
	await importWith({ ...journal, waitingBytes: most + 1 }, wholeSource(noise(300 * chunkSizeBytes, 2)));
	assert.equal(await packs(), 2, 'one for each read of 256 chunks');
	await data.flush();
	assert.equal(await packs(), 2);

	const sizeBytes = 20 * chunkSizeBytes;
	const extents: SourceExtent[] = [
		{ offsetBytes: 0, lengthBytes: chunkSizeBytes, kind: 'data' },
		{ offsetBytes: chunkSizeBytes, lengthBytes: sizeBytes - chunkSizeBytes, kind: 'unchanged' },
	];
	const sizes = { sizeBytes, chunkSizeBytes, frameSizeBytes: 16_384 };
	const chunks = new VerifiedChunks(new DirectChunkSource(store));
	const reader = new DiskReader(chunks, { ...sizes, dataBytes: 0, contentDigest: 'ab'.repeat(32) });
	let waitingBytes = 0;
	const told: ImportJournal = {
		...journal,
		addBase: async () => {
			waitingBytes = most + 1;
		},
		get waitingBytes() {
			return waitingBytes;
		},
	};
	await importWith(told, new SaidSource(noise(sizeBytes, 3), extents, 0), { reader });
	assert.equal(await packs(), 3);
});
