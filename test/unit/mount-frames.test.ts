import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DiskExport } from '../../movers/mount-mover/disk-export.ts';
import { MountedDisks } from '../../movers/mount-mover/mounted-disks.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { DamagingStore, importDisks, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';

/** Two frames. */
const chunk = 128 * 1024;
const frame = 64 * 1024;
const whole = noise(4 * chunk + 333, 5);

async function bench({ cacheBytes = 16 * chunk } = {}) {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunk, store);
	const { restorePoint } = await importDisks(repository, [
		new SparseSource(whole.length, [{ offsetBytes: 0, bytes: whole }]),
	]);
	const { manifest } = await readPoint(repository, 'web01', restorePoint);
	const [image = assert.fail()] = manifest.disks;
	const source = new DirectChunkSource(store);
	const chunks = new VerifiedChunks(source);
	const damaged: number[] = [];
	const onDamage = (_disk: string, index: number) => void damaged.push(index);
	const disks = [{ name: 'disk0', image }];
	const mounted = new MountedDisks({ disks, chunks, open: source, cacheBytes, clock: systemClock, onDamage });
	const [disk = assert.fail()] = mounted.disks;
	const { waiting, counters } = mounted;
	const served = new DiskExport('disk0', '', { disk, waiting, counters, patient: true });
	const read = (offset: number, length: number) =>
		new Promise<Buffer>((resolve, reject) => {
			served.readLater(offset, length, result =>
				Buffer.isBuffer(result) ? resolve(result) : reject(new Error(result.message)),
			);
		});
	/** Flips a byte in the last frame of a chunk, and returns what puts it right again. */
	const flip = async (index: number) => {
		const ref = await new DiskReader(chunks, image).lookup(index);
		if (ref === 'zero') throw new Error('zero');
		const key = keys.pack(ref.packId);
		await store.flipByte(key, ref.offsetBytes + ref.storedBytes - 5);
		return () => store.repair(key);
	};
	return { served, read, flip, damaged, mounted, disk };
}

const into = Buffer.alloc(frame);

function isRight(bytes: Buffer, offset: number): boolean {
	return bytes.equals(whole.subarray(offset, offset + bytes.length));
}

test('`DiskExport` answers a frame of a chunk of which another one is bad; that one is damage, and told once', async () => {
	const { served, read, flip, damaged, mounted } = await bench();
	await flip(1);
	assert.ok(isRight(await read(chunk + 100, 4096), chunk + 100));
	assert.equal(served.readNow(into, 0, chunk + frame, 4096), 'later');
	const [first, second] = await Promise.allSettled([read(chunk + frame, 10), read(2 * chunk - 10, 20)]);
	assert.deepEqual([first.status, second.status], ['rejected', 'rejected']);
	await assert.rejects(read(chunk + frame, 10), /frame/);
	assert.deepEqual(damaged, [1]);
	assert.equal(mounted.badChunks.length, 1);
	assert.ok(isRight(await read(2 * chunk, frame), 2 * chunk), 'a neighbour');
});

test('`DiskExport` fetches a chunk again of which a frame in memory is bad, and goes by what it then is', async () => {
	const { served, read, flip, damaged, mounted } = await bench();
	const repair = await flip(1);
	await read(chunk, 10);
	await repair();
	assert.ok(isRight(await read(chunk + frame - 5, 4096), chunk + frame - 5));
	assert.deepEqual(damaged, []);
	assert.equal(mounted.counters['fetchedChunks'], 2);
	assert.equal(served.readNow(into, 0, chunk + frame, 4096), 'data', 'it is in memory again');
});

test('`DiskExport` of a disk with a bad frame is whole again after a repair and `serve`', async () => {
	const { read, flip, mounted } = await bench();
	const repair = await flip(0);
	await assert.rejects(read(frame, 10), /frame/);
	await repair();
	mounted.serve();
	assert.ok(isRight(await read(0, chunk), 0));
});

test('`DiskExport.readNow` decodes one frame, and no more', async () => {
	const { served, read, disk } = await bench();
	await read(0, 10);
	served.willNeed(chunk, chunk);
	await waitFor('the chunk', () => disk.isInMemory(1), { timeoutMs: 5_000 });
	assert.equal(served.readNow(into, 0, chunk + frame - 10, 20), 'later', 'two frames');
	assert.equal(served.readNow(into, 0, chunk, 4096), 'data');
	assert.equal(served.readNow(into, 0, chunk + frame - 10, 20), 'data', 'one of the two was there');
	assert.ok(isRight(into.subarray(0, 20), chunk + frame - 10));
});

test('`DiskExport` reads chunks that have gone out of the cache while replies to others are made of them', async () => {
	const { read } = await bench({ cacheBytes: 0 });
	const places = Array.from({ length: 64 }, (_, number) => (number * 37_123) % (whole.length - 9_000));
	const reads = await Promise.all(places.map(place => read(place, 9_000)));
	for (const [number, place] of places.entries())
		assert.ok(isRight(reads[number] ?? assert.fail(), place), `at ${place}`);
	assert.ok(isRight(await read(0, whole.length), 0));
});

test('`DiskExport.readLater` uses the buffer of a large read again when its receiver is through with it, and not before', async () => {
	const { served } = await bench();
	const read = () =>
		new Promise<{ bytes: Buffer; free: (() => void) | undefined }>(resolve =>
			served.readLater(0, 2 * chunk, (bytes, free) => {
				if (Buffer.isBuffer(bytes)) resolve({ bytes, free });
			}),
		);
	const first = await read();
	const second = await read();
	assert.notEqual(second.bytes.buffer, first.bytes.buffer);
	first.free?.();
	const third = await read();
	assert.equal(third.bytes.buffer, first.bytes.buffer);
	for (const { bytes } of [second, third]) assert.ok(isRight(bytes, 0));
});
