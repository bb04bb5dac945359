import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FirstReads, maxFirstReads, placesOf, runsOf } from '../../movers/first-reads.ts';
import { DiskExport } from '../../movers/mount-mover/disk-export.ts';
import { FirstReadsRecord } from '../../movers/mount-mover/first-reads-record.ts';
import { MountedDisks, type MountOptions } from '../../movers/mount-mover/mounted-disks.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import {
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	type Piece,
	SparseSource,
} from '../equipment/repositories.ts';

const MiB = 1024 * 1024;
const chunk = 4096;
/** Two disks of 8 MiB, so of two pages each; chunks 0 to 99 and 1024 to 1123 have data. */
const pieces: Piece[] = [0, 1024].map(first => ({ offsetBytes: first * chunk, bytes: noise(100 * chunk, first + 1) }));

async function bench(options: Partial<MountOptions> = {}) {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunk, store);
	const source = () => new SparseSource(8 * MiB, pieces);
	const { restorePoint } = await importDisks(repository, [source(), source()]);
	const { manifest } = await readPoint(repository, 'web01', restorePoint);
	const disks = manifest.disks.map((image, number) => ({ name: `disk${number}`, image }));
	const chunks = new VerifiedChunks(new DirectChunkSource(store));
	const mounted = new MountedDisks({ disks, chunks, cacheBytes: 8 * MiB, clock: systemClock, ...options });
	const { waiting, counters } = mounted;
	const exports = mounted.disks.map(disk => new DiskExport(disk.name, '', { disk, waiting, counters, patient: true }));
	const into = Buffer.alloc(1 * MiB);
	/** As the server reads: at once, or later. */
	const read = (disk: number, index: number, count = 1) =>
		new Promise<'now' | 'later'>((resolve, reject) => {
			const from = exports[disk];
			if (from?.readNow(into, 0, index * chunk, count * chunk) !== 'later') resolve('now');
			else
				from.readLater(index * chunk, count * chunk, result =>
					'errno' in result ? reject(new Error(result.message)) : resolve('later'),
				);
		});
	const passed = (count: number) =>
		waitFor('the list to be passed', () => mounted.firstFetch?.passed === count, { timeoutMs: 5_000 });
	return { mounted, counters, read, passed };
}

test('`MountedDisks.firstReads` has the chunks with data in the order first read, up to when it was first asked', async () => {
	const { mounted, read } = await bench({ recordsFirstReads: true });
	await read(1, 1030, 3);
	await read(0, 7);
	await read(1, 1031); // again
	await read(0, 99, 2); // the second one is zero
	await read(0, 500); // zero
	await read(0, 8);
	const first: FirstReads = [
		[1, 1030, 3],
		[0, 7, 1],
		[0, 99, 1],
		[0, 8, 1],
	];
	assert.deepEqual(mounted.firstReads(), first);
	await read(0, 50);
	assert.deepEqual(mounted.firstReads(), first);
});

test('`MountedDisks.firstReads` of disks that were read before is unknown', async () => {
	const { mounted, read } = await bench();
	await read(0, 7);
	assert.equal(mounted.firstReads(), undefined);
});

test('`FirstReadsRecord.note` keeps no more chunks than a list may have', () => {
	const record = new FirstReadsRecord();
	for (let index = 0; index < maxFirstReads + 10; index += 1) record.note(0, index);
	assert.deepEqual(
		record.end(() => false),
		[[0, 0, maxFirstReads]],
	);
});

test('`placesOf` gives back what `runsOf` was given', () => {
	const places = [3, 4, 5, 5, 2, 1].map((index, at) => ({ disk: at < 2 ? 0 : 1, index }));
	assert.deepEqual([...placesOf(runsOf(places))], places);
});

test('`MountedDisks` has what is to be fetched first at hand before it is read, on pages that nobody had loaded', async () => {
	const firstReads: FirstReads = [
		[1, 1060, 20],
		[0, 200, 5], // zero in this restore point
		[0, 3, 2],
	];
	const { read, passed, mounted } = await bench({ firstReads, recordsFirstReads: true });
	await passed(27);
	assert.equal(await read(1, 1060, 20), 'now');
	assert.equal(await read(0, 3, 2), 'now');
	assert.deepEqual(mounted.firstFetch, { chunks: 27, passed: 27, fetched: 22 });
	// What is found at hand is as much a first read as what was waited for.
	assert.deepEqual(mounted.firstReads(), [
		[1, 1060, 20],
		[0, 3, 2],
	]);
});

test('`MountedDisks` fetches first no more than half of its cache beyond what is read', async () => {
	const { mounted, read, passed, counters } = await bench({ firstReads: [[0, 0, 100]], cacheBytes: 20 * chunk });
	await passed(10);
	await read(0, 50); // was not foreseen so early
	assert.equal(mounted.firstFetch?.passed, 10);
	for (let index = 0; index < 4; index += 1) assert.equal(await read(0, index), 'now');
	await passed(14);
	for (let index = 4; index < 100; index += 1) await read(0, index);
	await passed(100);
	assert.ok(counters.fetchedChunks <= 101, `${counters.fetchedChunks} chunks were fetched`);
});

test('`MountedDisks` goes on with what is to be fetched first when other reads push it out of the cache', async () => {
	const { read, passed } = await bench({ firstReads: [[0, 0, 40]], cacheBytes: 20 * chunk });
	await passed(10);
	for (let index = 1024; index < 1124; index += 1) await read(1, index);
	await passed(40);
});
