import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DiskExport } from '../../movers/mount-mover/disk-export.ts';
import { MountedDisks } from '../../movers/mount-mover/mounted-disks.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint } from '../../repository/points.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { bytesOf } from '../equipment/nbd-bytes.ts';
import { DamagingStore, importDisks, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';

/** Two frames. */
const chunk = 128 * 1024;
const frame = 64 * 1024;
const whole = noise(20 * chunk + 333, 5);

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
				'errno' in result ? reject(new Error(result.message)) : resolve(bytesOf(result)),
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

test('`DiskExport` gives the bytes of large reads where they lie: their memory is used again when a receiver is through with them, and not before', async () => {
	const { served, read } = await bench({ cacheBytes: 0 });
	const lying = (offset: number) =>
		new Promise<{ bytes: readonly Buffer[]; free: (() => void) | undefined }>(resolve =>
			served.readLater(offset, chunk, (bytes, free) => {
				if (Array.isArray(bytes)) resolve({ bytes, free });
			}),
		);
	const memoryOf = ({ bytes }: { bytes: readonly Buffer[] }) => bytes.map(({ buffer }) => buffer);
	const first = await lying(0);
	const second = await lying(chunk);
	await read(2 * chunk, 2 * chunk);
	assert.ok(isRight(bytesOf(first.bytes), 0));
	assert.ok(!memoryOf(second).some(memory => memoryOf(first).includes(memory)));
	first.free?.();
	const third = await lying(0);
	assert.ok(memoryOf(third).some(memory => memoryOf(first).includes(memory)));
	for (const [number, { bytes }] of [third, second].entries()) assert.ok(isRight(bytesOf(bytes), number * chunk));
});

test('`DiskExport.lend` gives what lies in memory within one chunk, and nothing else', async () => {
	const { served, read } = await bench();
	assert.equal(served.lend(0, frame), undefined, 'not in memory');
	await read(0, 2 * chunk);
	const lent = served.lend(100, chunk - 100) ?? assert.fail();
	assert.ok(isRight(bytesOf(lent.bytes), 100));
	lent.free();
	assert.equal(served.lend(100, chunk), undefined, 'of two chunks');
	await read(20 * chunk, 333);
	assert.equal(served.lend(20 * chunk, 512), undefined, 'beyond the exact size');
});

test('a large read of chunks that are in memory leaves others their turn while their frames are decoded', async () => {
	const { served, read } = await bench({ cacheBytes: 64 * chunk });
	await Promise.all(Array.from({ length: 20 }, (_, index) => read(index * chunk, 1)));
	let done = false;
	const answer = new Promise<Buffer>((resolve, reject) => {
		served.readLater(0, 20 * chunk, result => {
			done = true;
			if ('errno' in result) reject(new Error(result.message));
			else resolve(bytesOf(result));
		});
	});
	await setImmediate();
	assert.equal(done, false);
	assert.ok((await answer).equals(whole.subarray(0, 20 * chunk)));
});
