import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskExport } from '../../movers/mount-mover/disk-export.ts';
import { MountedDisks } from '../../movers/mount-mover/mounted-disks.ts';
import type { Extent } from '../../nbd/server/export.ts';
import { PageLookup } from '../../movers/mount-mover/page-lookup.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { bytesOf } from '../equipment/nbd-bytes.ts';
import {
	CountingSource,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	type Piece,
	SparseSource,
} from '../equipment/repositories.ts';

const MiB = 1024 * 1024;
const chunk = 4096;
/** Disk under one page with chunks of 4 KiB. */
const page = 4 * MiB;

/** A disk of 16 MiB + 333 bytes, so of five pages, of which the second and third are zero. */
const pieces: Piece[] = [
	{ offsetBytes: 0, bytes: noise(40 * chunk, 3) },
	{ offsetBytes: 3 * page + 10 * chunk, bytes: noise(page - 10 * chunk + 333, 4) },
];
const sizeBytes = 4 * page + 333;
const whole = Buffer.alloc(sizeBytes);
for (const { offsetBytes, bytes } of pieces) bytes.copy(whole, offsetBytes);

async function bench({ cacheBytes = 8 * MiB } = {}) {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunk, store);
	const { restorePoint } = await importDisks(repository, [new SparseSource(sizeBytes, pieces)]);
	const { manifest } = await readPoint(repository, 'web01', restorePoint);
	const [image] = manifest.disks;
	if (image === undefined) throw new Error('no disk');
	const source = new CountingSource(new DirectChunkSource(store));
	const chunks = new VerifiedChunks(source);
	const mounted = new MountedDisks({ disks: [{ name: 'disk0', image }], chunks, cacheBytes, clock: systemClock });
	const [disk] = mounted.disks;
	if (disk === undefined) throw new Error('no disk');
	const { waiting, counters } = mounted;
	const patient = new DiskExport('disk0', '', { disk, waiting, counters, patient: true });
	const impatient = new DiskExport('disk0-now', '', { disk, waiting, counters, patient: false });
	const read = (offset: number, length: number, from = patient) =>
		new Promise<Buffer>((resolve, reject) => {
			from.readLater(offset, length, result =>
				'errno' in result ? reject(new Error(result.message)) : resolve(bytesOf(result)),
			);
		});
	const status = (offset: number, length: number, { single = false, from = patient } = {}) =>
		new Promise<Extent[]>((resolve, reject) => {
			from.blockStatus(['base:allocation'], { offset, length, single }, result =>
				Array.isArray(result) ? resolve(result[0] ?? []) : reject(new Error(result.message)),
			);
		});
	return { store, image, source, mounted, patient, impatient, read, status };
}

const into = Buffer.alloc(64 * 1024);

test('`DiskExport.readLater` of any place and length gives what was stored', async () => {
	const { read } = await bench({ cacheBytes: 64 * 1024 });
	for (const [offset, length] of [
		[0, 1],
		[chunk - 1, 2],
		[39 * chunk, 3 * chunk],
		[page - 5, 2 * page + 10],
		[3 * page + 9 * chunk + 7, 300_000],
		[sizeBytes - 1, 1],
		[0, sizeBytes],
	] as const)
		assert.ok((await read(offset, length)).equals(whole.subarray(offset, offset + length)), `${length} at ${offset}`);
});

test('`DiskExport.readNow` gives what was read before', async () => {
	const { read, patient } = await bench();
	assert.equal(patient.readNow(into, 0, 5000, 3000), 'later');
	await read(5000, 3000);
	assert.equal(patient.readNow(into, 100, 5000, 3000), 'data');
	assert.equal(into.compare(whole, 5000, 8000, 100, 3100), 0);
});

test('`DiskExport.readNow` of a part that has no page is zeroes, once that is known', async () => {
	const { read, patient, source } = await bench();
	await read(page, chunk);
	const before = source.calls;
	into.fill(7);
	assert.equal(patient.readNow(into, 0, page + 100 * chunk, 8192), 'zeroes');
	assert.ok(into.subarray(0, 8192).every(byte => byte === 0));
	assert.equal(source.calls, before);
});

test('`DiskExport.readLater` many times in one chunk fetches it once', async () => {
	const { read, mounted } = await bench();
	await Promise.all(Array.from({ length: 50 }, (_, n) => read(n * 10, 10)));
	assert.equal(mounted.counters['fetchedChunks'], 1);
});

test('`DiskExport.readNow` after sequential reads finds what follows fetched ahead', async () => {
	const { read, patient } = await bench();
	await read(3 * page + 10 * chunk, chunk);
	await read(3 * page + 11 * chunk, chunk);
	await waitFor('the next two', () => patient.readNow(into, 0, 3 * page + 12 * chunk, 2 * chunk) === 'data', {
		timeoutMs: 5_000,
	});
});

test('`DiskExport.willNeed` fetches what it names', async () => {
	const { read, patient } = await bench();
	await read(0, 1);
	patient.willNeed(20 * chunk, 4 * chunk);
	await waitFor('the hinted', () => patient.readNow(into, 0, 20 * chunk, 4 * chunk) === 'data', { timeoutMs: 5_000 });
});

test('`DiskExport.blockStatus` tells data from zeros to the byte, as far as its pages are known', async () => {
	const { status } = await bench();
	assert.deepEqual(await status(100, page - 100), [
		{ length: 40 * chunk - 100, flags: 0 },
		{ length: page - 40 * chunk, flags: 3 },
	]);
	assert.deepEqual(await status(100, sizeBytes - 100, { single: true }), [{ length: 40 * chunk - 100, flags: 0 }]);
	assert.deepEqual(await status(sizeBytes - 100, 100), [{ length: 100, flags: 0 }]);
});

test('`DiskExport.blockStatus` of an impatient export says data for what is not known, and loads nothing', async () => {
	const { status, impatient, source } = await bench();
	assert.deepEqual(await status(page, 2 * page, { from: impatient }), [{ length: 2 * page, flags: 0 }]);
	assert.equal(source.calls, 0);
});

test('`DiskExport.readLater` under a damaged page fails and names its first chunk, until `serve` after the repair', async () => {
	const { store, image, read, mounted } = await bench();
	const { root } = image;
	if (root === undefined) throw new Error('no root');
	const key = await keyOfPack(store, root.packId);
	await store.flipByte(key, root.offsetBytes + 20);
	await assert.rejects(read(0, 10), /chunk/);
	assert.deepEqual(
		mounted.badChunks.map(({ disk: name, index, digest }) => ({ name, index, digest })),
		[{ name: 'disk0', index: 0, digest: root.digest }],
	);
	await store.repair(key);
	await assert.rejects(read(5 * chunk, 10), /chunk/);
	mounted.serve();
	assert.ok((await read(0, 10)).equals(whole.subarray(0, 10)));
	assert.equal(mounted.badChunks.length, 0);
});

async function keyOfPack(store: DamagingStore, packId: string): Promise<string> {
	for await (const { key } of store.list('packs/')) if (key.includes(packId)) return key;
	throw new Error(`no pack ${packId}`);
}

test('`PageLookup` of a page that is pushed out of memory at once does not take it for zeros', async () => {
	const leaves = 24;
	const store = new DamagingStore();
	const repository = await memoryRepository(chunk, store);
	const first = Array.from({ length: leaves }, (_, leaf) => ({
		offsetBytes: leaf * page,
		bytes: noise(chunk, leaf + 1),
	}));
	const { restorePoint } = await importDisks(repository, [new SparseSource(leaves * page, first)]);
	const { manifest } = await readPoint(repository, 'web01', restorePoint);
	// Room for eight pages, while all are asked for together.
	const reader = new DiskReader(new VerifiedChunks(new DirectChunkSource(store)), manifest.disks[0]!, {
		cacheBytes: 0,
	});
	const pages = new PageLookup(reader, () => {});
	const second = (leaf: number) => leaf * 1024 + 1;
	const load = (index: number) => new Promise<void>(resolve => pages.load(index, () => resolve()));
	await Promise.all(Array.from({ length: leaves }, (_, leaf) => load(second(leaf))));
	for (let leaf = 0; leaf < leaves; leaf += 1) assert.notEqual(pages.entry(leaf * 1024), 'zero', `leaf ${leaf}`);
	pages.close();
});
