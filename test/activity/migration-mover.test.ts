import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { copyFile, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import type { ChunkRef } from '../../model/chunk.ts';
import type { MoverDisk } from '../../movers/config.ts';
import { Migration } from '../../movers/migration-mover/migration.ts';
import { OfferServer } from '../../movers/migration-mover/offers.ts';
import { lowWaterBytes } from '../../movers/migration-mover/room.ts';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import { RepositoryMoverClient } from '../../movers/repository-mover/client.ts';
import { overSocket } from '../../movers/repository-mover/connections.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { openRepository } from '../../repository/repository.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { keys } from '../../repository/format/keys.ts';
import { listenOnSocket } from '../../system/unix-http.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import {
	allocateTarget,
	checkClaims,
	liftFileSizeLimit,
	migrationState,
	sampleRecoveryId,
	startMigrationMover,
	startRepositoryMover,
} from '../equipment/movers.ts';
import { sampleDisk, type StoredDisk, storeDisk } from '../equipment/stored-disk.ts';
import { TestClock } from '../equipment/test-clock.ts';

const MiB = 1024 * 1024;

async function bench(t: TestContext, sizeBytes: number): Promise<{ directory: string; stored: StoredDisk }> {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes));
	await startRepositoryMover(t, directory, stored.directory);
	return { directory, stored };
}

/** Reference and stored bytes of a chunk of the disk, by hand. */
async function chunkOf(stored: StoredDisk, index: number): Promise<{ ref: ChunkRef; bytes: Buffer }> {
	const { store } = await openRepository(stored.directory);
	try {
		const source = new DirectChunkSource(store);
		const ref = await new DiskReader(new VerifiedChunks(source), stored.image).lookup(index);
		if (ref === 'zero') throw new Error(`chunk ${index} is zero`);
		for await (const chunk of source.fetch([ref], { class: 'mount' })) return { ref, bytes: Buffer.from(chunk.stored) };
		throw new Error(`chunk ${index} is not there`);
	} finally {
		await store.close();
	}
}

function offer(
	mover: { config: { offerSocket: string } },
	chunk: number | string,
	body: Buffer,
	disk = 'disk0',
): Promise<number> {
	return new Promise((resolve, reject) => {
		const call = request({
			socketPath: mover.config.offerSocket,
			method: 'POST',
			path: `/offer?disk=${disk}&chunk=${chunk}`,
		});
		call.once('error', reject);
		call.once('response', response => {
			response.resume();
			resolve(response.statusCode ?? 0);
		});
		call.end(body);
	});
}

const complete = ({ disks }: { disks: { complete: boolean }[] }) => disks.every(disk => disk.complete);

test('several disks are copied whole, each to its exact size and zero up to the sector after it', async t => {
	const directory = await temporaryDirectory(t);
	const first = await storeDisk(join(directory, 'repository'), sampleDisk(5 * MiB + 1));
	await startRepositoryMover(t, directory, first.directory);
	const disks = [
		await allocateTarget(directory, first.image),
		await allocateTarget(directory, first.image, { name: 'disk1', targetReadsZero: false, fill: 0xa5 }),
	];
	const mover = await startMigrationMover(t, directory, disks);
	assert.equal((await mover.control.state()).copying, false);
	await mover.control.copy(0);
	await mover.control.copy(0);
	const state = await migrationState(mover, 'complete', complete);
	assert.deepEqual(state.disks, [
		{ name: 'disk0', restoredBytes: first.bytes.length, complete: true },
		{ name: 'disk1', restoredBytes: first.bytes.length, complete: true },
	]);
	for (const disk of disks) {
		const target = await readFile(disk.target.path);
		const expected = Buffer.alloc(Math.ceil(first.bytes.length / 512) * 512);
		first.bytes.copy(expected);
		assert.equal(target.compare(expected), 0, disk.name);
	}
	await migrationState(mover, 'not copying', ({ copying }) => !copying);
});

test('zero chunks are not written where the target reads zero', async t => {
	const directory = await temporaryDirectory(t);
	const bytes = Buffer.alloc(32 * MiB);
	bytes.fill('data', 0, 128 * 1024);
	const stored = await storeDisk(join(directory, 'repository'), bytes);
	await startRepositoryMover(t, directory, stored.directory);
	const disk = await allocateTarget(directory, stored.image);
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(0);
	await migrationState(mover, 'complete', complete);
	const { blocks } = await stat(disk.target.path);
	assert.ok(blocks * 512 < 1 * MiB, `${blocks * 512} bytes allocated`);
	assert.equal((await readFile(disk.target.path)).compare(bytes), 0);
});

test('no more is copied than a low rate allows, and the rest when it is lifted', async t => {
	const { directory, stored } = await bench(t, 16 * MiB);
	const { sizeBytes, dataBytes, chunkSizeBytes } = stored.image;
	const mover = await startMigrationMover(t, directory, [await allocateTarget(directory, stored.image)]);
	const [rate, begun] = [2 * MiB, performance.now()];
	await mover.control.copy(rate);
	// Zeros are there at once; of the rest the first chunk is not waited for, nor what a twentieth of a second allows.
	const free = sizeBytes - dataBytes + chunkSizeBytes + rate / 20;
	const { disks } = await migrationState(
		mover,
		'a part',
		({ disks: [disk] }) => Number(disk?.restoredBytes) > free + 3 * MiB,
	);
	const allowed = free + (rate * (performance.now() - begun)) / 1000;
	assert.ok(Number(disks[0]?.restoredBytes) <= allowed, `${disks[0]?.restoredBytes} of ${allowed} bytes`);
	await mover.control.rate(0);
	await migrationState(mover, 'complete', complete);
});

test('a bad chunk is named, all others are copied, and after its repair a retry ends the copy', async t => {
	const { directory, stored } = await bench(t, 8 * MiB);
	const { ref } = await chunkOf(stored, 0);
	const pack = join(stored.directory, keys.pack(ref.packId));
	await copyFile(pack, `${pack}.whole`);
	const file = await open(pack, 'r+');
	const byte = Buffer.alloc(1);
	await file.read(byte, 0, 1, ref.offsetBytes + ref.storedBytes - 1);
	await file.write(Buffer.from([(byte[0] ?? 0) ^ 0x10]), 0, 1, ref.offsetBytes + ref.storedBytes - 1);
	await file.close();

	const disk = await allocateTarget(directory, stored.image);
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(0);
	const state = await migrationState(mover, 'ended', ({ copying }) => !copying);
	assert.equal(state.failure?.code, 'chunk_bad');
	assert.equal(state.failure?.details?.['disk'], 'disk0');
	assert.ok(state.badChunks.some(bad => bad.digest === ref.digest && bad.index === 0 && bad.packId === ref.packId));
	const { claimed } = await checkClaims(stored, disk);
	const chunks = Math.ceil(stored.image.sizeBytes / stored.image.chunkSizeBytes);
	assert.equal(claimed, chunks - state.badChunks.length);

	await mover.control.copy(0);
	assert.equal((await mover.control.state()).copying, false, 'a failure needs a retry');
	await rename(`${pack}.whole`, pack);
	// The repository mover keeps a pack open for a second: the first retry may still see the old bytes.
	await waitFor(
		'a retry with success',
		async () => {
			await mover.control.retry();
			return complete(await migrationState(mover, 'ended', ({ copying }) => !copying));
		},
		{ timeoutMs: 30_000, everyMs: 200 },
	);
	assert.equal((await mover.control.state()).failure, null);
	assert.deepEqual((await mover.control.state()).badChunks, []);
	assert.equal((await checkClaims(stored, disk)).complete, true);
});

for (const [how, threadsAboveBytes] of [
	['', undefined],
	[' (threads)', 0],
] as const)
	test(`a write that fails ends the copy, claims nothing that is not there, and goes on after a retry${how}`, async t => {
		const { directory, stored } = await bench(t, 24 * MiB);
		const disk = await allocateTarget(directory, stored.image);
		const mover = await startMigrationMover(t, directory, [disk], { fileSizeLimit: 18 * MiB }, { threadsAboveBytes });
		await mover.control.copy(200 * MiB); // under a limit groups are small
		const state = await migrationState(mover, 'ended', ({ copying }) => !copying);
		assert.equal(state.failure?.code, 'io_failed');
		const { claimed, complete: all } = await checkClaims(stored, disk);
		assert.ok(claimed > 0 && !all, `${claimed} chunks claimed`);
		assert.equal(await offer(mover, 150, (await chunkOf(stored, 150)).bytes), 429, 'a dead target takes no offers');
		liftFileSizeLimit(mover);
		await mover.control.copy(0);
		assert.equal((await mover.control.state()).copying, false, 'a failure needs a retry');
		await mover.control.retry();
		await migrationState(mover, 'complete', complete);
		assert.equal((await mover.control.state()).failure, null);
		assert.equal((await readFile(disk.target.path)).compare(stored.bytes), 0);
	});

/** A migration in this process, with as much room as `freeBytes` says. */
async function openMigration(
	t: TestContext,
	directory: string,
	disks: readonly MoverDisk[],
	freeBytes: () => number,
	bucket = new TokenBucket(0, systemClock),
): Promise<Migration> {
	const source = new RetryingChunkSource(
		new RepositoryMoverClient(overSocket(join(directory, 'chunks.sock'))),
		systemClock,
	);
	const migration = new Migration(sampleRecoveryId, disks, {
		log: pino({ level: 'silent' }),
		source,
		bucket,
		reached: () => {},
		freeBytes: async () => freeBytes(),
	});
	t.after(async () => {
		await migration.close();
		await source.close();
	});
	await migration.open();
	return migration;
}

test('a low rate is used up in small steps', async t => {
	const { directory, stored } = await bench(t, 16 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const [rate, clock] = [2 * MiB, new TestClock()];
	const migration = await openMigration(t, directory, [disk], () => lowWaterBytes, new TokenBucket(rate, clock));
	const begun = clock.now();
	migration.copy();
	await waitFor('the copy to end', () => !migration.state().copying, { timeoutMs: 20_000 });
	const measured = (stored.image.dataBytes * 1000) / (clock.now() - begun);
	assert.ok(measured > rate * 0.95 && measured < rate * 1.05, `${measured} bytes a second instead of ${rate}`);
	const oneChunkMs = Math.ceil((stored.image.chunkSizeBytes * 1000) / rate);
	assert.ok(Math.max(...clock.delays) <= oneChunkMs, `nothing for ${Math.max(...clock.delays)} ms`);
});

test('a copy into a sparse target stops while there is still room for the guest, and goes on when there is more', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	let free = lowWaterBytes - 1;
	const migration = await openMigration(t, directory, [disk], () => free);
	migration.copy();
	await waitFor('the copy to end', () => !migration.state().copying, { timeoutMs: 20_000 });
	assert.equal(migration.state().failure?.code, 'space_short');
	assert.equal((await stat(disk.target.path)).blocks, 0);
	free = lowWaterBytes;
	await migration.retry();
	await waitFor('the copy to end', () => !migration.state().copying, { timeoutMs: 20_000 });
	assert.equal(migration.state().failure, null);
	assert.equal(migration.state().disks[0]?.complete, true);
});

test('an offered chunk does not take the room that a copy leaves to the guest', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	let free = lowWaterBytes - 1;
	const migration = await openMigration(t, directory, [disk], () => free);
	const server = createServer(new OfferServer(migration).listener);
	const offerSocket = join(directory, 'offer.sock');
	await listenOnSocket(server, offerSocket);
	t.after(() => server.close());
	const { bytes } = await chunkOf(stored, 3);
	assert.equal(await offer({ config: { offerSocket } }, 3, bytes), 409);
	assert.equal((await stat(disk.target.path)).blocks, 0);
	free = lowWaterBytes;
	assert.equal(await offer({ config: { offerSocket } }, 3, bytes), 204);
});

test('a copy that is asked for while targets are opened again is begun when they are open', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	await rename(disk.mapPath, `${disk.mapPath}.away`);
	const migration = await openMigration(t, directory, [disk], () => lowWaterBytes);
	assert.equal(migration.state().failure?.code, 'io_failed');
	await rename(`${disk.mapPath}.away`, disk.mapPath);
	const retried = migration.retry();
	// Opening needs the event loop, which is not given up here: the copy comes in the middle.
	for (let turn = 0; turn < 100 && migration.state().failure !== null; turn += 1) await Promise.resolve();
	assert.equal(migration.state().failure, null);
	migration.copy();
	await retried;
	await waitFor('the copy to end', () => !migration.state().copying, { timeoutMs: 20_000 });
	assert.equal(migration.state().failure, null);
	assert.equal(migration.state().disks[0]?.complete, true);
});

test('while an offered chunk is slow to be written, the copy waits for it and does not look again and again', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const migration = await openMigration(t, directory, [disk], () => lowWaterBytes);
	const target = migration.disks[0]?.target;
	assert.ok(target);
	const file = await open(disk.target.path, 'r');
	t.after(() => file.close());
	const written = Promise.withResolvers<void>();
	const slow = t.mock.method(Object.getPrototypeOf(file), 'write', async (bytes: Buffer) => {
		await written.promise;
		return { bytesWritten: bytes.length };
	});
	const offered = target.write(0, stored.bytes.subarray(0, 128 * 1024));
	slow.mock.restore();
	const passes = t.mock.method(target, 'flush').mock;
	try {
		migration.copy();
		await waitFor('the first pass', () => passes.callCount() > 0, { timeoutMs: 20_000 });
		for (let turn = 0; turn < 1000; turn += 1) await setImmediate();
		assert.ok(passes.callCount() < 10, `${passes.callCount()} passes`);
		assert.equal(migration.state().copying, true);
	} finally {
		written.resolve();
	}
	await offered;
	await waitFor('the copy to end', () => !migration.state().copying, { timeoutMs: 20_000 });
	assert.equal(migration.state().failure, null);
	assert.equal(migration.state().disks[0]?.complete, true);
});

test('a zero disk of 2 TiB is restored without reading or writing it', async t => {
	const { directory, stored } = await bench(t, MiB);
	const { root: _root, ...rest } = stored.image;
	const disk = await allocateTarget(directory, { ...rest, sizeBytes: 2 * 1024 ** 4, dataBytes: 0 });
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(1);
	const state = await migrationState(mover, 'complete', complete);
	assert.equal(state.disks[0]?.restoredBytes, 2 * 1024 ** 4);
	assert.equal((await stat(disk.target.path)).blocks, 0);
});

test('an offered chunk is verified, written and recorded without being fetched', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const mover = await startMigrationMover(t, directory, [disk]);
	const { bytes } = await chunkOf(stored, 3);
	const wrong = Buffer.from(bytes);
	wrong[bytes.length - 1] = (wrong[bytes.length - 1] ?? 0) ^ 1;
	assert.equal(await offer(mover, 3, wrong), 409);
	assert.equal(await offer(mover, 4, bytes), 409);
	assert.equal(await offer(mover, 3, bytes, 'disk1'), 429);
	assert.equal(await offer(mover, 999, bytes), 429);
	assert.equal(await offer(mover, 3, bytes), 204);
	assert.equal(await offer(mover, 3, bytes), 204);
	const state = await migrationState(mover, 'one chunk', ({ disks }) => (disks[0]?.restoredBytes ?? 0) > 0);
	assert.equal(state.disks[0]?.restoredBytes, stored.image.chunkSizeBytes);
	assert.equal(state.copying, false);
	assert.deepEqual(await checkClaims(stored, disk), { claimed: 1, complete: false });
});

test('offers count against the rate: over it they are turned away', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.rate(1024);
	assert.equal(await offer(mover, 0, (await chunkOf(stored, 0)).bytes), 204);
	assert.equal(await offer(mover, 1, (await chunkOf(stored, 1)).bytes), 429);
});

test('a target that is another file than the one the map was made for is not touched', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const size = (await stat(disk.target.path)).size;
	await rm(disk.target.path);
	await writeFile(disk.target.path, Buffer.alloc(size, 0x77));
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(0);
	const state = await mover.control.state();
	assert.equal(state.failure?.code, 'identity_conflict');
	assert.equal(state.copying, false);
	assert.equal(await offer(mover, 0, (await chunkOf(stored, 0)).bytes), 429);
	assert.ok((await readFile(disk.target.path)).every(byte => byte === 0x77));
});

test('what is restored already is not written again', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	const disk = await allocateTarget(directory, stored.image);
	const first = await startMigrationMover(t, directory, [disk]);
	await first.control.copy(0);
	await migrationState(first, 'complete', complete);
	await first.end('SIGKILL');
	// As a guest does after the switch: its bytes must survive a mover that was started by mistake.
	await writeFile(disk.target.path, Buffer.alloc((await stat(disk.target.path)).size, 0x33), { flag: 'r+' });
	const second = await startMigrationMover(t, directory, [disk]);
	await second.control.copy(0);
	assert.equal((await second.control.state()).copying, false);
	assert.equal(await offer(second, 0, (await chunkOf(stored, 0)).bytes), 204);
	await second.end('SIGTERM');
	assert.ok((await readFile(disk.target.path)).every(byte => byte === 0x33));
});
