/** What a machine reads first, with movers and a supervisor as processes of their own. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { KnownReads } from '../../movers/first-reads.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { connectTo, mountState, startMountMover } from '../equipment/mount-movers.ts';
import { allocateTarget, migrationState, startMigrationMover, startRepositoryMover } from '../equipment/movers.ts';
import { MachineIo, samplePlan, SteppedRecovery } from '../equipment/recoveries.ts';
import { SlowWay } from '../equipment/slow-way.ts';
import { storeDisk } from '../equipment/stored-disk.ts';
import { SupervisedHost } from '../equipment/supervised-host.ts';

const MiB = 1024 * 1024;
const chunkBytes = 128 * 1024;
const from = { drill: 'nightly', at: '2026-11-20T04:00:00.000Z' };

/** A disk of 64 chunks in a repository that is slow to ask. */
async function slowRepository(t: TestContext, delayMs: number) {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), randomBytes(64 * chunkBytes));
	const disk = await allocateTarget(directory, stored.image);
	const repository = await startRepositoryMover(t, directory, stored.directory);
	const chunkSocket = join(directory, 'slow.sock');
	const way = await SlowWay.to(t, repository.chunkSocket, { at: chunkSocket, delayMs });
	const start = (reads: KnownReads['reads'], more = {}) =>
		startMountMover(t, directory, [disk], { chunkSocket, firstReads: { from, reads }, ...more });
	const expected = (chunk: number, length = 4096) =>
		stored.bytes.subarray(chunk * chunkBytes, chunk * chunkBytes + length);
	return { directory, disk, repository, way, start, expected };
}

test('a mount mover with a list has its chunks at hand before they are read, with the repository slow and then away', async t => {
	const { repository, start, expected } = await slowRepository(t, 100);
	const mover = await start([
		[0, 40, 10],
		[0, 3, 2],
	]);
	const { firstReads } = await mountState(mover, 'the list passed', state => state.firstReads?.passed === 12);
	assert.deepEqual(firstReads, { ...from, chunks: 12, passed: 12, fetched: 12 });
	await repository.end('SIGKILL');
	const now = await connectTo(t, mover, 'disk0-now');
	for (const chunk of [40, 44, 49, 3, 4]) assert.ok((await now.read(chunk * chunkBytes, 4096)).equals(expected(chunk)));
	assert.deepEqual(await mover.control.firstReads(), [
		[0, 40, 1],
		[0, 44, 1],
		[0, 49, 1],
		[0, 3, 2],
	]);
});

test("a guest's read overtakes what is fetched first", async t => {
	const { start, expected } = await slowRepository(t, 300);
	const mover = await start([[0, 0, 60]]);
	const wait = await connectTo(t, mover, 'disk0-wait');
	// With its page there, and the first requests of the list under way.
	await mountState(mover, 'the first chunks of the list', ({ firstReads }) => (firstReads?.fetched ?? 0) > 0);
	assert.ok((await wait.read(62 * chunkBytes, 4096)).equals(expected(62)));
	const { passed = 60 } = (await mover.control.state()).firstReads ?? {};
	assert.ok(passed < 60, `${passed} chunks of the list came before the read`);
});

test('a limited repository gives no more than its limit to what is fetched first, and a read that waits goes before that', async t => {
	const { repository, start, expected } = await slowRepository(t, 0);
	const [rate, piece] = [MiB, 8 * chunkBytes];
	await repository.control.rate(rate);
	const begun = performance.now();
	const mover = await start([[0, 0, 60]]);
	const wait = await connectTo(t, mover, 'disk0-wait');
	const passedBy = (count: number) =>
		mountState(mover, `${count} of the list`, ({ firstReads }) => (firstReads?.passed ?? 0) >= count);
	const { firstReads: before } = await passedBy(8);
	// The last of three requests, which has its turn when two more are through; and one that is not in the list.
	for (const chunk of [(before?.passed ?? 0) + 20, 62])
		assert.ok((await wait.read(chunk * chunkBytes, 4096)).equals(expected(chunk)));
	const { firstReads: now } = await mover.control.state();
	assert.ok((now?.passed ?? 60) < (before?.passed ?? 0) + 16, `${now?.passed} of the list came before the reads`);
	await passedBy(24);
	const { storedBytes } = (await repository.control.state()).served;
	const seconds = (performance.now() - begun) / 1000;
	const most = rate * (seconds + 0.2) + piece + 4 * chunkBytes; // what it saves up, the piece under way, and the reads
	assert.ok(storedBytes <= most, `${storedBytes} bytes in ${seconds} s`);
});

test('what is fetched first goes to the migration mover that comes later, so that each block is fetched once', async t => {
	const { directory, disk, repository, start } = await slowRepository(t, 5);
	const mover = await start([[0, 0, 48]], { cacheBytes: 16 * MiB });
	await mountState(mover, 'the list passed', ({ firstReads }) => firstReads?.passed === 48);
	const migration = await startMigrationMover(t, directory, [disk]);
	await mountState(mover, 'all taken', ({ counters }) => counters['offersTaken'] === 48);
	await migration.control.copy(0);
	await migrationState(migration, 'all restored', state => state.disks.every(({ complete }) => complete));
	const { served } = await repository.control.state();
	assert.equal(served.chunks, 64 + 2); // each mover has read the disk's only page
});

test('a mount mover that is killed in the middle of it goes on with what is not restored', async t => {
	const { directory, disk, start } = await slowRepository(t, 20);
	await startMigrationMover(t, directory, [disk]);
	// Of these 32 chunks the cache may hold 16 at a time: what is restored makes room.
	const startSmall = () => start([[0, 8, 32]], { cacheBytes: 4 * MiB });
	const first = await startSmall();
	await mountState(first, 'some of it', ({ firstReads }) => (firstReads?.fetched ?? 0) > 4);
	await first.end('SIGKILL');
	const second = await startSmall();
	await mountState(second, 'the list passed', ({ firstReads }) => firstReads?.passed === 32);
	await mountState(second, 'all of it restored', ({ disks }) => disks[0]?.restoredChunks === 32);
});

test('supervisor killed as it remembers, mount mover killed as it fetches: the list is whole, and fetched at the next recovery', async t => {
	const bytes = randomBytes(32 * chunkBytes);
	for (const chunk of [9, 20]) bytes.fill(0x55, chunk * chunkBytes, chunk * chunkBytes + 4096);
	const stored = await storeDisk(join(await temporaryDirectory(t), 'repository'), bytes);
	const host = await SupervisedHost.create(t);
	await host.start({ killAt: 'first-reads-kept' });
	const drill = new SteppedRecovery(host, samplePlan(stored, { drill: { name: 'nightly' } }), 'drill');
	await drill.run();
	const io = await MachineIo.open(drill);
	for (const chunk of [9, 20]) await io.verify(chunk * chunkBytes, 4096, 0x55);
	io.close();
	await assert.rejects(drill.step('keep-first-reads', {}), { code: 'supervisor_unreachable' });
	await host.ended();
	await host.start();
	const { chunks } = await drill.step('keep-first-reads', {}, { again: true });
	assert.ok(chunks >= 2, `${chunks} chunks`);
	await drill.step('discard', {});
	const later = new SteppedRecovery(host, samplePlan(stored), 'later');
	await later.run();
	const lock = join(host.directory('later'), 'mount-mover.lock');
	process.kill((await lockHolder(lock))?.pid ?? 0, 'SIGKILL');
	await waitFor('a mount mover', async () => (await lockHolder(lock)) !== undefined, { timeoutMs: 20_000 });
	const { firstReads } = await later.viewed('the list passed', view => view.firstReads?.passed === chunks);
	assert.equal(firstReads?.drill, 'nightly');
	await later.step('discard', {});
});
