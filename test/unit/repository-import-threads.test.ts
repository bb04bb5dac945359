import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import * as fc from 'fast-check';
import { maxChunkBytes } from '../../model/chunk-bounds.ts';
import { RouseError } from '../../model/errors.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { slabBytes } from '../../repository/import/segment-slab.ts';
import { type ImportThreads, SegmentThreads } from '../../repository/import/segment-threads.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { busyThreads, importDisks, memoryRepository, noise, wholeSource } from '../equipment/repositories.ts';

const time = '2026-11-20T03:00:00.000Z';
const inline: ImportThreads = { most: 0 };

async function contentOf(repository: Repository, bytes: Buffer): Promise<string> {
	const [image] = (await readPoint(repository, 'web01', time)).manifest.disks;
	assert.ok(image);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const found = Buffer.alloc(image.sizeBytes);
	for await (const chunk of diskChunks(chunks, new DiskReader(chunks, image), { class: 'migration' }))
		chunk.bytes.copy(found, chunk.index * image.chunkSizeBytes);
	assert.ok(found.equals(bytes), 'the disk is read back as it was');
	return image.contentDigest;
}

/** Threads that are started. */
function countThreads(t: TestContext): { started: number } {
	const count = { started: 0 };
	const onWorker = () => count.started++;
	process.on('worker', onWorker);
	t.after(() => process.off('worker', onWorker));
	return count;
}

/** Threads that have not ended. */
function aliveThreads(t: TestContext): ReadonlySet<Worker> {
	const alive = new Set<Worker>();
	const onWorker = (worker: Worker) => {
		alive.add(worker);
		worker.once('exit', () => alive.delete(worker));
	};
	process.on('worker', onWorker);
	t.after(() => process.off('worker', onWorker));
	return alive;
}

test('`importMachine` with threads stores what it does without them: zeros, equal chunks, any size of chunk, two slabs', async t => {
	const count = countThreads(t);
	const anyDisk = fc.record({
		chunkSizeBytes: fc.integer({ min: 8, max: 5000 }).map(sectors => sectors * 512),
		most: fc.integer({ min: 1, max: 3 }),
		// Of which kind each 100 KB are: zero, noise that comes again, or text.
		kinds: fc.array(fc.nat(6), { minLength: 1, maxLength: 60 }),
		tail: fc.nat(70_000),
	});
	const part = (kind: number) => (kind < 4 ? noise(100_000, kind) : Buffer.alloc(100_000, kind === 4 ? 0 : 'text'));
	await fc.assert(
		fc.asyncProperty(anyDisk, async ({ chunkSizeBytes, most, kinds, tail }) => {
			const bytes = Buffer.concat([...kinds.map(part), noise(tail, 9), Buffer.alloc(1)]);
			const [one, other] = [await memoryRepository(chunkSizeBytes), await memoryRepository(chunkSizeBytes)];
			const threads = { inlineBytes: 0, most, slabs: 2 };
			const made = await importDisks(one, [wholeSource(bytes)], { threads });
			const expected = await importDisks(other, [wholeSource(bytes)], { threads: inline });
			assert.equal(made.newBytes, expected.newBytes);
			assert.equal(await contentOf(one, bytes), await contentOf(other, bytes));
		}),
		{ numRuns: 6 },
	);
	assert.ok(count.started >= 6, `${count.started} threads`);
});

test('`importMachine` of a disk of equal chunks, with two slabs, stores one and waits for none', async () => {
	const repository = await memoryRepository(65_536);
	const bytes = Buffer.alloc(5 * 1024 * 1024, noise(65_536, 1));
	const { newBytes } = await importDisks(repository, [wholeSource(bytes)], { threads: { ...busyThreads, slabs: 2 } });
	assert.equal(newBytes, 65_536);
	await contentOf(repository, bytes);
});

test('`importMachine` whose threads die in the middle of their work stores the same', async t => {
	const count = countThreads(t);
	const entry = new URL('../equipment/mortal-import-thread.ts', import.meta.url);
	const bytes = noise(12 * 1024 * 1024, 1);
	const repository = await memoryRepository(65_536);
	const { newBytes } = await importDisks(repository, [wholeSource(bytes)], { threads: { ...busyThreads, entry } });
	assert.equal(newBytes, bytes.length);
	await contentOf(repository, bytes);
	assert.ok(count.started >= 3, `${count.started} threads: they are started until too many have died`);
});

test('`importMachine` that is called off, or whose source fails, has ended its threads when it says so', async t => {
	const alive = aliveThreads(t);
	const reason = new RouseError('source_invalid', 'it is gone');
	for (const calledOff of [true, false]) {
		const abort = new AbortController();
		const source = wholeSource(noise(8 * 1024 * 1024, 1));
		const read = async (offsetBytes: number, into: Buffer) => {
			await source.read(offsetBytes, into);
			if (offsetBytes < 6 * 1024 * 1024) return;
			assert.ok(alive.size > 0);
			if (!calledOff) throw reason;
			abort.abort(reason);
		};
		const breaking = { sizeBytes: source.sizeBytes, extents: () => source.extents(), read, close: async () => {} };
		const repository = await memoryRepository(65_536);
		await assert.rejects(
			importDisks(repository, [breaking], { threads: busyThreads }, { signal: abort.signal }),
			reason,
		);
		assert.equal(alive.size, 0);
	}
});

test('`importMachine` has ended its threads when all is stored, before anybody looks at that', async t => {
	const alive = aliveThreads(t);
	const most = { reading: 0, stored: 0 };
	const note = (place: keyof typeof most) => {
		most[place] = Math.max(most[place], alive.size);
	};
	const reached = (place: string) => place === 'pages' && note('stored');
	const options = { progress: () => note('reading'), reached };
	const repository = await memoryRepository(65_536);
	await importDisks(repository, [wholeSource(noise(8 * 1024 * 1024, 1))], { threads: busyThreads }, options);
	assert.ok(most.reading > 0);
	assert.equal(most.stored, 0);
});

test('`importMachine` of a small disk starts no thread', async t => {
	const count = countThreads(t);
	await importDisks(await memoryRepository(), [wholeSource(noise(8 * 1024 * 1024, 1))]);
	assert.equal(count.started, 0);
});

test('`SegmentThreads` has slabs for two segments at least, and no more than so much memory, whatever the size of chunks', () => {
	for (let chunkSizeBytes = 4096; chunkSizeBytes <= maxChunkBytes; chunkSizeBytes *= 2)
		for (const frameSizeBytes of [16_384, 65_536, maxChunkBytes])
			for (const most of [0, 1, 64]) {
				const { shape, slabs } = new SegmentThreads({ chunkSizeBytes, frameSizeBytes }, { most });
				assert.ok(slabs >= 2);
				assert.ok(slabs * slabBytes(shape) < 68 * 1024 * 1024, `${slabs} slabs of ${slabBytes(shape)} bytes`);
				assert.equal(shape.chunks, Math.max(1, Math.floor((1024 * 1024) / chunkSizeBytes)));
			}
});
