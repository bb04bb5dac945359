import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { ChunkRef, DiskImage } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { type DiskExtent, DiskReader } from '../../repository/disk-reader.ts';
import { encodePage } from '../../repository/format/page.ts';
import { keys } from '../../repository/format/keys.ts';
import type { ChunkKind } from '../../repository/format/frame-table.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import type { Repository } from '../../repository/repository.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import {
	CountingSource,
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	type Piece,
	SparseSource,
} from '../equipment/repositories.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const chunkSizeBytes = 4096;
/** Disk that one page of level 1 covers. */
const leafBytes = 1024 * chunkSizeBytes;
const TiB = 2 ** 40;

async function stored(sizeBytes: number, pieces: readonly Piece[], repository?: Repository) {
	const target = repository ?? (await memoryRepository(chunkSizeBytes));
	await importDisks(target, [new SparseSource(sizeBytes, pieces)]);
	const image = (await readPoint(target, 'web01', '2026-11-20T03:00:00.000Z')).manifest.disks[0];
	assert.ok(image);
	const source = new CountingSource(new DirectChunkSource(target.store));
	return { image, source, reader: new DiskReader(new VerifiedChunks(source), image) };
}

async function bytesOf(source: CountingSource, reader: DiskReader, index: number): Promise<Buffer> {
	const entry = await reader.lookup(index);
	const rawBytes = reader.rawBytesOf(index);
	return entry === 'zero'
		? Buffer.alloc(rawBytes)
		: new VerifiedChunks(source).fetchOne({ ref: entry, rawBytes }, { class: 'mount' });
}

async function extentsOf(reader: DiskReader, range = {}): Promise<DiskExtent[]> {
	return collect(reader.extents(range));
}

test('`DiskReader.lookup` finds every chunk of a disk of odd size, the short last one included', async () => {
	const disk = noise(37 * chunkSizeBytes + 333, 1);
	disk.fill(0, 5 * chunkSizeBytes, 9 * chunkSizeBytes);
	const { source, reader } = await stored(disk.length, [{ offsetBytes: 0, bytes: disk }]);
	assert.equal(reader.chunkCount, 38);
	assert.equal(reader.rawBytesOf(37), 333);
	for (let index = 0; index < reader.chunkCount; index++)
		assert.deepEqual(
			await bytesOf(source, reader, index),
			disk.subarray(index * chunkSizeBytes, (index + 1) * chunkSizeBytes),
		);
});

test('`DiskReader.lookup` of a zero chunk is `zero`, whether the source said so or not', async () => {
	const { reader } = await stored(8 * chunkSizeBytes, [{ offsetBytes: chunkSizeBytes, bytes: Buffer.alloc(8192) }]);
	assert.equal(await reader.lookup(1), 'zero');
	assert.equal(await reader.lookup(7), 'zero');
});

test('`DiskReader.lookupCached` answers once the page was read, and not before', async () => {
	const { reader } = await stored(10 * leafBytes, [{ offsetBytes: 3 * leafBytes, bytes: noise(9000, 2) }]);
	const index = 3 * 1024 + 1;
	assert.equal(reader.lookupCached(index), undefined);
	const entry = await reader.lookup(index);
	assert.notEqual(entry, 'zero');
	assert.deepEqual(reader.lookupCached(index), entry);
});

test('`DiskReader` of a disk that is all zero answers without a page and without a read', async () => {
	const { image, source, reader } = await stored(5 * TiB, []);
	assert.equal(image.root, undefined);
	assert.equal(reader.lookupCached(12345), 'zero');
	assert.deepEqual(await extentsOf(reader), [{ offsetBytes: 0, lengthBytes: 5 * TiB, zero: true }]);
	assert.equal(source.calls, 0);
});

test('`DiskReader.lookup` many times at once loads a page once', async () => {
	const { source, reader } = await stored(leafBytes, [{ offsetBytes: 0, bytes: noise(50_000, 3) }]);
	await Promise.all(Array.from({ length: 10 }, (_, index) => reader.lookup(index)));
	assert.equal(source.calls, 1);
});

test('`DiskReader` with room for one page forgets pages and answers right', async () => {
	const pieces = Array.from({ length: 20 }, (_, leaf) => ({ offsetBytes: leaf * leafBytes, bytes: noise(4096, leaf) }));
	const { image, source } = await stored(20 * leafBytes, pieces);
	const reader = new DiskReader(new VerifiedChunks(source), image, { cacheBytes: 1 });
	for (const round of [0, 1])
		for (const [leaf, { bytes }] of pieces.entries())
			assert.deepEqual(await bytesOf(source, reader, leaf * 1024), bytes, `round ${round}, leaf ${leaf}`);
	assert.equal(reader.lookupCached(0), undefined);
});

test('`DiskReader.lookup` past the end of the disk, or before its start, is `internal`', async () => {
	const { reader } = await stored(4096, [{ offsetBytes: 0, bytes: noise(4096, 1) }]);
	assert.throws(() => reader.lookupCached(1), { code: 'internal' });
	await assert.rejects(reader.lookup(-1), { code: 'internal' });
});

test('`DiskReader.lookup` that is aborted ends at once, and another for the same page goes on', async () => {
	const { reader } = await stored(4096, [{ offsetBytes: 0, bytes: noise(4096, 1) }]);
	const gone = new AbortController();
	const aborted = reader.lookup(0, { signal: gone.signal });
	const other = reader.lookup(0);
	gone.abort(new Error('nobody waits any more'));
	await assert.rejects(aborted, { message: 'nobody waits any more' });
	assert.notEqual(await other, 'zero');
});

test('`DiskReader.extents` are in order, without gaps, merged, and zero exactly where chunks are zero', async () => {
	await fc.assert(
		fc.asyncProperty(
			fc.integer({ min: 1, max: 5 * 1024 * chunkSizeBytes }),
			fc.uniqueArray(fc.nat(5 * 1024 - 1), { maxLength: 40 }),
			fc.nat(1e7),
			fc.nat(1e7),
			async (sizeBytes, wanted, from, length) => {
				const chunks = wanted.filter(index => (index + 1) * chunkSizeBytes <= sizeBytes).toSorted((a, b) => a - b);
				const data = Buffer.alloc(chunkSizeBytes, 'x');
				const pieces = chunks.map(index => ({ offsetBytes: index * chunkSizeBytes, bytes: data }));
				const { reader } = await stored(sizeBytes, pieces);
				const offsetBytes = from % sizeBytes;
				const lengthBytes = Math.min(length, sizeBytes - offsetBytes);
				const extents = await extentsOf(reader, { offsetBytes, lengthBytes });
				let at = offsetBytes;
				for (const [position, extent] of extents.entries()) {
					assert.equal(extent.offsetBytes, at);
					assert.ok(extent.lengthBytes > 0);
					assert.notEqual(extent.zero, extents[position - 1]?.zero, 'neighbours of one kind are one');
					const first = Math.floor(at / chunkSizeBytes);
					at += extent.lengthBytes;
					for (let index = first; index * chunkSizeBytes < at; index++)
						assert.equal(chunks.includes(index), !extent.zero, `chunk ${index}`);
				}
				assert.equal(at, offsetBytes + lengthBytes);
			},
		),
		{ numRuns: 40 },
	);
});

test('`DiskReader` of 2 TiB with data here and there answers and lists its extents in under 2 MiB of reads', async () => {
	const repository = await memoryRepository(128 * 1024);
	const places = [0, 1, 500, 1000, 1500, 2047].map(GiB => GiB * 2 ** 30);
	const pieces = places.map((offsetBytes, seed) => ({ offsetBytes, bytes: noise(1024 * 1024, seed) }));
	const { source, reader } = await stored(2 * TiB, pieces, repository);
	assert.equal(reader.chunkCount, 16 * 1024 * 1024);
	assert.notEqual(await reader.lookup(0), 'zero');
	assert.equal(await reader.lookup(16 * 1024 * 1024 - 1), 'zero');
	const extents = await extentsOf(reader);
	assert.deepEqual(
		extents.filter(({ zero }) => !zero),
		places.map(offsetBytes => ({ offsetBytes, lengthBytes: 1024 * 1024, zero: false })),
	);
	assert.ok(source.storedBytes < 2 * 1024 * 1024, `${source.storedBytes} bytes read`);
	assert.ok(source.calls < 30, `${source.calls} calls`);
});

test('`DiskReader.extents` over many leaves asks for them 16 at a time', async () => {
	const pieces = Array.from({ length: 64 }, (_, leaf) => ({ offsetBytes: leaf * leafBytes, bytes: noise(4096, leaf) }));
	const { source, reader } = await stored(64 * leafBytes, pieces);
	await extentsOf(reader);
	assert.equal(source.calls, 1 + 64 / 16);
	assert.equal(source.refs.length, 65);
});

test('`DiskReader.lookup` under a damaged page is `chunk_bad` until the repair, and `leaves` goes on after it', async () => {
	const store = new DamagingStore();
	const pieces = [0, 1, 2].map(leaf => ({ offsetBytes: leaf * leafBytes, bytes: noise(4096, leaf + 10) }));
	const { image, source, reader } = await stored(3 * leafBytes, pieces, await memoryRepository(chunkSizeBytes, store));
	const before = await new DiskReader(new VerifiedChunks(source), image).lookup(1024);
	assert.notEqual(before, 'zero');
	const page = source.refs[1];
	assert.ok(page);
	await store.flipByte(keys.pack(page.packId), page.offsetBytes + page.storedBytes - 1);

	await assert.rejects(reader.lookup(1024), { code: 'chunk_bad', message: new RegExp(page.digest) });
	const damaged: [number, number, number][] = [];
	const leaves = reader.leaves({
		onDamage: ({ level, firstIndex, count }) => damaged.push([level, firstIndex, count]),
	});
	assert.deepEqual(
		(await collect(leaves)).map(leaf => leaf.firstIndex),
		[0, 2048],
	);
	assert.deepEqual(damaged, [[0, 1024, 1024]]);

	await store.repair(keys.pack(page.packId));
	assert.deepEqual(await reader.lookup(1024), before, 'a failure is not remembered');
});

test('`DiskReader.lookup` with a root of another disk size is `chunk_bad`', async () => {
	const { image, source } = await stored(4 * leafBytes, [{ offsetBytes: 0, bytes: noise(4096, 1) }]);
	const other: DiskImage = { ...image, sizeBytes: 8 * leafBytes };
	await assert.rejects(new DiskReader(new VerifiedChunks(source), other).lookup(0), { code: 'chunk_bad' });
});

test('`DiskReader.lookup` that was aborted may fail later without ending the process', async () => {
	const { image } = await stored(8 * leafBytes, [{ offsetBytes: 0, bytes: noise(9000, 1) }]);
	const source: ChunkSource = {
		// oxlint-disable-next-line require-yield -- a source that fails
		async *fetch() {
			await setImmediate();
			throw new RouseError('store_unreachable', 'the store does not answer');
		},
		async close() {},
	};
	const reader = new DiskReader(new VerifiedChunks(source), image);
	await assert.rejects(reader.lookup(0, { signal: AbortSignal.abort(new Error('over')) }), { message: 'over' });
	for (let turn = 0; turn < 5; turn++) await setImmediate(); // a rejection that nobody looked at would fail this test
});

/** A disk of three leaves, the second of which matches its digest and has an entry that is no reference. */
async function withMalformedLeaf(): Promise<DiskReader> {
	const store = new MemoryStore();
	const put = async (kind: ChunkKind, raw: Buffer): Promise<ChunkRef> => {
		const pack = new PackWriter(store, { kind, packBytes: 1 << 20 });
		const { digest, stored: bytes } = await storedChunk(raw, kind);
		const place = await pack.append(digest, bytes, raw.length);
		await pack.flush();
		return { digest, ...place, storedBytes: bytes.length };
	};
	const data = await put('chunk', noise(chunkSizeBytes, 1));
	const leaves = [0, 1, 2].map(leaf =>
		encodePage(Array.from({ length: 1024 }, (_, n) => (n === leaf ? data : 'zero'))),
	);
	leaves[1]?.fill(0, 56 + 52, 56 + 56); // its reference loses the number of stored bytes
	const root = await put('page', encodePage(await Promise.all(leaves.map(leaf => put('page', leaf)))));
	const sizes = { sizeBytes: 3 * leafBytes, chunkSizeBytes, frameSizeBytes: 64 * 1024 };
	const image = { ...sizes, contentDigest: 'ab'.repeat(32), dataBytes: 3, root };
	return new DiskReader(new VerifiedChunks(new DirectChunkSource(store)), image);
}

test('`DiskReader.lookup` loading a page with an entry that is no reference is `format_damaged`, and keeps nothing of it', async () => {
	const reader = await withMalformedLeaf();
	for (let turn = 0; turn < 2; turn++) {
		await assert.rejects(reader.lookup(1024), { code: 'format_damaged' });
		assert.equal(reader.lookupCached(1025), undefined);
	}
});

test('`DiskReader.leaves` tells of a page with an entry that is no reference, and goes on after it', async () => {
	const reader = await withMalformedLeaf();
	const damaged: number[] = [];
	const leaves = await collect(reader.leaves({ onDamage: ({ firstIndex }) => damaged.push(firstIndex) }));
	assert.deepEqual(damaged, [1024]);
	assert.deepEqual(
		leaves.map(({ firstIndex }) => firstIndex),
		[0, 2048],
	);
});

test('all that `DiskReader` asks for names its place, in which `entryAt` of another reader finds it', async () => {
	const pieces = [0, 1, 2, 1500, 2047].map(leaf => ({
		offsetBytes: leaf * leafBytes + (leaf % 7) * chunkSizeBytes,
		bytes: noise(9000, leaf + 1),
	}));
	const { image, source, reader } = await stored(10 * 2 ** 30, pieces);
	assert.equal(reader.map.levels.length, 3);
	const chunks = new VerifiedChunks(source);
	await collect(diskChunks(chunks, reader, { class: 'mount' }));
	const asked = source.placed;
	assert.deepEqual([...new Set(asked.map(({ place }) => place?.height))].toSorted(), [0, 1, 2, 3]);
	const another = new DiskReader(chunks, image, { cacheBytes: 1 });
	for (const { place, ...ref } of asked) {
		assert.equal(place?.root, image.root?.digest);
		assert.deepEqual(await another.entryAt(place ?? assert.fail()), ref);
	}
	for (const [height, count] of [another.chunkCount, ...another.map.levels].entries())
		assert.equal(await another.entryAt({ height, number: count }), undefined);
	assert.equal(await another.entryAt({ height: 4, number: 0 }), undefined);
	assert.equal(await another.entryAt({ height: 0, number: 700 * 1024 }), 'zero');
	assert.equal(await another.entryAt({ height: 1, number: 700 }), 'zero');
});
