import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MoverDisk } from '../../movers/config.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import {
	allocateTarget,
	checkClaims,
	migrationState,
	startMigrationMover,
	startRepositoryMover,
} from '../equipment/movers.ts';
import { sampleDisk, type StoredDisk, storeDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;

async function bench(t: TestContext, sizeBytes: number): Promise<{ directory: string; stored: StoredDisk }> {
	const directory = await temporaryDirectory(t);
	return { directory, stored: await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes)) };
}

async function assertSame(stored: StoredDisk, disk: MoverDisk): Promise<void> {
	const target = await readFile(disk.target.path);
	assert.equal(target.length, Math.ceil(stored.bytes.length / 512) * 512);
	assert.equal(target.compare(stored.bytes, 0, stored.bytes.length, 0, stored.bytes.length), 0);
	assert.ok(
		target.subarray(stored.bytes.length).every(byte => byte === 0),
		'bytes after the end of the disk',
	);
}

test('killed again and again while it copies, it claims only what is there, and ends with the whole disk', async t => {
	const { directory, stored } = await bench(t, 24 * MiB + 1234);
	await startRepositoryMover(t, directory, stored.directory);
	const disk = await allocateTarget(directory, stored.image);
	let claimedBefore = 0;
	for (let kill = 0; kill < 4; kill += 1) {
		const mover = await startMigrationMover(t, directory, [disk]);
		await mover.control.copy(2 * MiB);
		await migrationState(mover, `more than ${claimedBefore} chunks`, ({ disks }) => {
			return (disks[0]?.restoredBytes ?? 0) > claimedBefore * stored.image.chunkSizeBytes;
		});
		await mover.end('SIGKILL');
		const { claimed, complete } = await checkClaims(stored, disk);
		assert.ok(claimed > claimedBefore && !complete, `${claimed} chunks, ${claimedBefore} before`);
		claimedBefore = claimed;
	}
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(0);
	const state = await migrationState(mover, 'complete', ({ disks }) => disks[0]?.complete === true);
	assert.equal(state.disks[0]?.restoredBytes, stored.image.sizeBytes);
	await mover.end('SIGTERM');
	await assertSame(stored, disk);
	assert.equal((await checkClaims(stored, disk)).complete, true);
});

for (const place of ['migration.data-written', 'migration.data-synced', 'migration.recorded'])
	test(`killed at ${place}, what is claimed is there and the next one carries on`, async t => {
		const { directory, stored } = await bench(t, 24 * MiB + 1);
		await startRepositoryMover(t, directory, stored.directory);
		const disk = await allocateTarget(directory, stored.image);
		// At the second group: the first one is recorded, this one hangs between the steps.
		const dying = await startMigrationMover(t, directory, [disk], { killAt: `${place}:2` });
		const died = once(dying.child, 'close');
		await dying.control.copy(0);
		await died;
		assert.equal(dying.child.signalCode, 'SIGKILL');
		const { claimed, complete } = await checkClaims(stored, disk);
		assert.ok(claimed > 0 && !complete, `${claimed} chunks claimed`);
		const next = await startMigrationMover(t, directory, [disk]);
		await next.control.copy(0);
		await migrationState(next, 'complete', ({ disks }) => disks[0]?.complete === true);
		await assertSame(stored, disk);
	});

test('killed at each place that copying by threads has, what is claimed is there and the last one ends with the whole disk', async t => {
	const { directory, stored } = await bench(t, 32 * MiB + 1);
	await startRepositoryMover(t, directory, stored.directory);
	const disk = await allocateTarget(directory, stored.image);
	const byThreads = { threadsAboveBytes: 0 };
	let claimedBefore = 0;
	for (const [place, times] of placesOfThreads) {
		const dying = await startMigrationMover(t, directory, [disk], { killAt: `${place}:${times}` }, byThreads);
		const died = once(dying.child, 'close');
		await dying.control.copy(32 * MiB); // a limit: in small parts, and small groups
		await died;
		assert.equal(dying.child.signalCode, 'SIGKILL', place);
		const { claimed, complete } = await checkClaims(stored, disk);
		assert.ok(claimed >= claimedBefore && !complete, `${place}: ${claimed} chunks, ${claimedBefore} before`);
		claimedBefore = claimed;
	}
	assert.ok(claimedBefore > 0);
	const last = await startMigrationMover(t, directory, [disk], {}, byThreads);
	await last.control.copy(0);
	await migrationState(last, 'complete', ({ disks }) => disks[0]?.complete === true);
	await assertSame(stored, disk);
	assert.equal((await checkClaims(stored, disk)).complete, true);
});

/** In the order of a part, and which of the parts it is that dies there. */
const placesOfThreads = [
	['copy.verified', 3],
	['copy.written', 2],
	['migration.thread-written', 2],
	['migration.data-written', 1],
	['migration.data-synced', 1],
	['migration.recorded', 1],
	['migration.recorded', 1],
] as const;

test('a group whose sync was never reached is not recorded', async t => {
	const { directory, stored } = await bench(t, 4 * MiB);
	await startRepositoryMover(t, directory, stored.directory);
	const disk = await allocateTarget(directory, stored.image);
	for (const place of ['migration.data-written', 'migration.data-synced']) {
		const dying = await startMigrationMover(t, directory, [disk], { killAt: place });
		const died = once(dying.child, 'close');
		await dying.control.copy(0);
		await died;
		assert.deepEqual(await checkClaims(stored, disk), { claimed: 0, complete: false });
	}
});

for (const [how, threadsAboveBytes] of [
	['', undefined],
	[', by threads', 0],
] as const)
	test(`the repository mover killed in the middle means waiting, and the copy goes on with the next one${how}`, async t => {
		const { directory, stored } = await bench(t, 24 * MiB);
		const repository = await startRepositoryMover(t, directory, stored.directory);
		const disk = await allocateTarget(directory, stored.image);
		const mover = await startMigrationMover(t, directory, [disk], {}, { threadsAboveBytes });
		await mover.control.copy(2 * MiB);
		await migrationState(mover, 'some of the disk', ({ disks }) => (disks[0]?.restoredBytes ?? 0) > 2 * MiB);
		await repository.end('SIGKILL');
		await mover.control.rate(0);
		const waiting = await mover.control.state();
		assert.equal(waiting.failure, null);
		assert.equal(waiting.copying, true);
		await migrationState(mover, 'in trouble', ({ trouble }) => trouble?.code === 'mover_unreachable');
		await startRepositoryMover(t, directory, stored.directory);
		const { trouble } = await migrationState(mover, 'complete', ({ disks }) => disks[0]?.complete === true);
		assert.equal(trouble, null);
		await assertSame(stored, disk);
	});

test('told to end, it records what it has written', async t => {
	const { directory, stored } = await bench(t, 6 * MiB);
	await startRepositoryMover(t, directory, stored.directory);
	const disk = await allocateTarget(directory, stored.image);
	const mover = await startMigrationMover(t, directory, [disk]);
	await mover.control.copy(3 * MiB);
	await migrationState(mover, 'something', ({ disks }) => (disks[0]?.restoredBytes ?? 0) > 0);
	await mover.end('SIGTERM');
	assert.equal(mover.child.exitCode, 0);
	assert.ok((await checkClaims(stored, disk)).claimed > 0);
});
