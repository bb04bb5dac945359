import assert from 'node:assert/strict';
import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { MoverDisk } from '../../movers/config.ts';
import { NBD_CMD } from '../../nbd/protocol/constants.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { connectTo, mountState, startMountMover } from '../equipment/mount-movers.ts';
import { allocateTarget, migrationState, startMigrationMover, startRepositoryMover } from '../equipment/movers.ts';
import * as wire from '../equipment/nbd-client.ts';
import { run } from '../equipment/served-disk.ts';
import { packFiles, sampleDisk, storeDisk, type StoredDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const KiB = 1024;
const chunkBytes = 128 * KiB;

interface Bench {
	directory: string;
	stored: StoredDisk;
	disk: MoverDisk;
	/** What the machine must see: the disk with zeros up to a multiple of 512. */
	served: Buffer;
}

async function bench(t: TestContext, sizeBytes = 6 * MiB + 333): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes));
	const disk = await allocateTarget(directory, stored.image);
	const served = Buffer.alloc(Math.ceil(sizeBytes / 512) * 512);
	stored.bytes.copy(served);
	return { directory, stored, disk, served };
}

/** Offset of a chunk that is not zero; the nth of them. */
function dataOffset(bytes: Buffer, nth = 0): number {
	let left = nth;
	for (let at = 0; at < bytes.length; at += chunkBytes)
		if (bytes.subarray(at, at + chunkBytes).some(byte => byte !== 0) && left-- === 0) return at;
	throw new Error(`no ${nth} chunks with data`);
}

async function restoreAll(t: TestContext, directory: string, disk: MoverDisk): Promise<void> {
	const migration = await startMigrationMover(t, directory, [disk]);
	await migration.control.copy(0);
	await migrationState(migration, 'all restored', state => state.disks.every(({ complete }) => complete));
	await migration.end();
}

async function copyOf(directory: string, uri: string): Promise<Buffer> {
	const path = join(directory, 'copy.raw');
	await run('nbdcopy', [uri, path]);
	return readFile(path);
}

test('every export is the disk with a zero tail to a multiple of 512', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk]);
	for (const name of ['', 'disk0', 'disk0-wait', 'disk0-now'])
		assert.equal((await run('nbdinfo', ['--size', mover.uri(name)])).trim(), String(served.length));
	assert.ok((await copyOf(directory, mover.uri('disk0-wait'))).equals(served));
	const map = JSON.parse(await run('nbdinfo', ['--map', '--json', mover.uri('disk0')]));
	assert.equal(
		map.reduce((sum: number, { length }: { length: number }) => sum + length, 0),
		served.length,
	);
});

test('the impatient export fails at once for what is neither restored nor cached, and serves the rest', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk]);
	const now = await connectTo(t, mover, 'disk0-now');
	const wait = await connectTo(t, mover, 'disk0-wait');
	const at = dataOffset(served) + 4096;
	await assert.rejects(now.read(at, 4096), /EIO/);
	assert.ok((await wait.read(at, 4096)).equals(served.subarray(at, at + 4096)));
	assert.ok((await now.read(at, 8192)).equals(served.subarray(at, at + 8192)));
	assert.equal((await mover.control.state()).waitingReads, 0);
});

test('a write to an export is EPERM, changes nothing and is told in the state', async t => {
	const { directory, disk } = await bench(t);
	const mover = await startMountMover(t, directory, [disk]);
	const before = await readFile(disk.target.path);
	assert.equal((await mover.control.state()).refusedWrites, undefined);
	const socket = connect(mover.config.nbdSocket);
	t.after(() => socket.destroy());
	const write = { type: NBD_CMD.WRITE, length: 512 };
	socket.write(wire.hello({ name: 'disk0-wait' }));
	for (const offset of [8192, 4096])
		socket.write(Buffer.concat([wire.request({ ...write, offset }), Buffer.alloc(512, 'written')]));
	const { refusedWrites } = await mountState(mover, 'both told', state => state.refusedWrites?.count === 2);
	assert.deepEqual(refusedWrites, { count: 2, export: 'disk0-wait', offset: 4096, length: 512 });
	assert.ok((await readFile(disk.target.path)).equals(before));
});

test('restored chunks are read from the target, without the repository', async t => {
	const { directory, disk, served } = await bench(t);
	const repository = await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk], { cacheBytes: 0 });
	await restoreAll(t, directory, disk);
	await mountState(mover, 'map followed', ({ disks }) => disks.every(one => one.restoredChunks === one.chunks));
	await repository.end('SIGKILL');
	assert.ok((await copyOf(directory, mover.uri('disk0-now'))).equals(served));
	const map = JSON.parse(await run('nbdinfo', ['--map=rouse:restored', '--json', mover.uri('disk0')]));
	assert.deepEqual(map, [{ offset: 0, length: served.length, type: 1 }]);
});

test('a target that is shorter than its map says is EIO, and nothing is made up', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk], { cacheBytes: 0 });
	await restoreAll(t, directory, disk);
	await mountState(mover, 'map followed', ({ disks }) => disks.every(one => one.restoredChunks === one.chunks));
	await truncate(disk.target.path, MiB + 100);
	const client = await connectTo(t, mover, 'disk0');
	assert.ok((await client.read(MiB - 4096, 4096)).equals(served.subarray(MiB - 4096, MiB)));
	assert.equal((await mover.control.state()).failure, null);
	await assert.rejects(client.read(MiB, 4096), /EIO/);
	await assert.rejects(client.read(MiB - 200 * KiB, 400 * KiB), /EIO/);
	const { failure } = await mover.control.state();
	assert.equal(failure?.code, 'io_failed');
	assert.ok(failure.message.includes(disk.target.path), failure.message);
	await mover.control.serve();
	assert.equal((await mover.control.state()).failure, null);
});

test('reads wait for a repository that is away, and are answered when it comes', async t => {
	const { directory, disk, served } = await bench(t);
	const mover = await startMountMover(t, directory, [disk]);
	const client = await connectTo(t, mover, 'disk0-wait');
	const at = dataOffset(served);
	const reads = [client.read(at, 4096), client.read(at + 5000, 300 * KiB)];
	const state = await mountState(mover, 'two waiting', ({ waitingReads }) => waitingReads === 2);
	assert.equal(state.counters['failedReads'], 0);
	await mountState(mover, 'their age', ({ oldestWaitMs }) => oldestWaitMs > 50);
	await mountState(mover, 'why', ({ failure }) => failure?.code === 'mover_unreachable');
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const [small, large] = await Promise.all(reads);
	assert.ok(small?.equals(served.subarray(at, at + 4096)));
	assert.ok(large?.equals(served.subarray(at + 5000, at + 5000 + 300 * KiB)));
	await mountState(mover, 'nobody waiting', ({ waitingReads, failure }) => waitingReads === 0 && failure === null);
});

test('fail-pending answers what waits with EIO, and what would wait until serve', async t => {
	const { directory, disk, served } = await bench(t);
	const mover = await startMountMover(t, directory, [disk]);
	const client = await connectTo(t, mover, 'disk0-wait');
	const at = dataOffset(served);
	const waits = client.read(at, 4096);
	waits.catch(() => {});
	await mountState(mover, 'one waiting', ({ waitingReads }) => waitingReads === 1);
	await mover.control.failPending(60_000);
	await assert.rejects(waits, /EIO/);
	await assert.rejects(client.read(at, 4096), /EIO/);
	assert.ok((await mover.control.state()).failing);
	await mover.control.serve();
	const again = client.read(at, 4096);
	await mountState(mover, 'waiting again', ({ waitingReads, failing }) => waitingReads === 1 && !failing);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	assert.ok((await again).equals(served.subarray(at, at + 4096)));
});

test('fail-pending ends by itself after its time', async t => {
	const { directory, disk, served } = await bench(t);
	const mover = await startMountMover(t, directory, [disk]);
	await mover.control.failPending(50);
	await mountState(mover, 'not failing', ({ failing }) => !failing);
	const client = await connectTo(t, mover, 'disk0-wait');
	client.read(dataOffset(served), 4096).catch(() => {});
	await mountState(mover, 'one waiting', ({ waitingReads }) => waitingReads === 1);
});

test('reads of a client that hung up do not count as waiting', async t => {
	const { directory, disk, served } = await bench(t);
	const mover = await startMountMover(t, directory, [disk]);
	const client = await connectTo(t, mover, 'disk0-wait');
	client.read(dataOffset(served), 4096).catch(() => {});
	await mountState(mover, 'one waiting', ({ waitingReads }) => waitingReads === 1);
	await client.hangUp();
	await mountState(mover, 'nobody waiting', ({ waitingReads }) => waitingReads === 0);
});

test('a waiting read is answered from the target when its chunk becomes local meanwhile', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk], { chunkSocket: join(directory, 'nobody.sock') });
	const client = await connectTo(t, mover, 'disk0-wait');
	const at = dataOffset(served) + 100;
	const waits = client.read(at, 300 * KiB);
	await mountState(mover, 'one waiting', ({ waitingReads }) => waitingReads === 1);
	await restoreAll(t, directory, disk);
	assert.ok((await waits).equals(served.subarray(at, at + 300 * KiB)));
});

test('forty cold reads that wait do not hold up a local one', async t => {
	const { directory, disk, served } = await bench(t);
	const repository = await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk], { cacheBytes: 256 * KiB });
	const wait = await connectTo(t, mover, 'disk0-wait');
	const now = await connectTo(t, mover, 'disk0-now');
	const at = dataOffset(served, 3);
	await wait.read(at, 4096);
	await repository.end('SIGKILL');
	for (let n = 0; n < 40; n += 1) wait.read(dataOffset(served, 4 + (n % 20)), 4096).catch(() => {});
	await mountState(mover, 'forty waiting', ({ waitingReads }) => waitingReads === 40);
	assert.ok((await now.read(at, 4096)).equals(served.subarray(at, at + 4096)));
	assert.ok((await wait.read(at, 4096)).equals(served.subarray(at, at + 4096)));
});

test('a damaged chunk is EIO and named, until it is whole again and serve was called', async t => {
	const { directory, disk, served, stored } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk]);
	const client = await connectTo(t, mover, 'disk0-wait');
	await client.read(dataOffset(served, 1), 512); // the map's page is loaded
	const packs = await packFiles(stored.directory);
	for (const pack of packs) {
		await copyFile(pack, `${pack}.whole`);
		const bytes = await readFile(pack);
		// From the pack's front into its first chunk's body.
		for (let at = 40; at < 4096; at += 7) bytes[at] = (bytes[at] ?? 0) ^ 0xff;
		await writeFile(pack, bytes);
	}
	const at = dataOffset(served, 0);
	await assert.rejects(client.read(at, 4096), /EIO/);
	const state = await mover.control.state();
	assert.deepEqual(
		state.badChunks.map(({ disk: name, index }) => ({ name, index })),
		[{ name: 'disk0', index: at / chunkBytes }],
	);
	assert.match(state.badChunks[0]?.digest ?? '', /^[0-9a-f]{64}$/);
	assert.match(state.badChunks[0]?.packId ?? '', /^[0-9a-f]{32}$/);
	const good = dataOffset(served, 2);
	assert.ok((await client.read(good, 4096)).equals(served.subarray(good, good + 4096)));
	for (const pack of packs) await writeFile(pack, await readFile(`${pack}.whole`));
	await assert.rejects(client.read(at, 4096), /EIO/);
	await mover.control.serve();
	assert.ok((await client.read(at, 4096)).equals(served.subarray(at, at + 4096)));
	assert.deepEqual((await mover.control.state()).badChunks, []);
});

test('a chunk that the machine read is offered, and restored without being copied', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const migration = await startMigrationMover(t, directory, [disk]);
	const mover = await startMountMover(t, directory, [disk]);
	const client = await connectTo(t, mover, 'disk0-wait');
	await client.read(dataOffset(served, 1), 4096);
	await mountState(mover, 'offer taken', ({ counters }) => counters['offersTaken'] === 1);
	await migrationState(migration, 'one chunk restored', state => state.disks[0]?.restoredBytes === chunkBytes);
	await mountState(mover, 'map followed', ({ disks }) => disks[0]?.restoredChunks === 1);
});

test('a second disk is served under its own name', async t => {
	const { directory, stored, disk, served } = await bench(t);
	const other = await allocateTarget(directory, stored.image, { name: 'disk1' });
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const mover = await startMountMover(t, directory, [disk, other]);
	assert.ok((await copyOf(directory, mover.uri('disk1-wait'))).equals(served));
	assert.equal((await mover.control.state()).disks.length, 2);
});

test('a mover that was killed is replaced on the same sockets', async t => {
	const { directory, disk, served } = await bench(t);
	await startRepositoryMover(t, directory, join(directory, 'repository'));
	const first = await startMountMover(t, directory, [disk]);
	await first.end('SIGKILL');
	const second = await startMountMover(t, directory, [disk]);
	assert.ok((await copyOf(directory, second.uri('disk0'))).equals(served));
});

test('a map of another target is refused', async t => {
	const { directory, disk } = await bench(t);
	await copyFile(disk.target.path, `${disk.target.path}.copy`);
	const wrong = { ...disk, target: { ...disk.target, path: `${disk.target.path}.copy` } };
	await assert.rejects(startMountMover(t, directory, [wrong]), /identity_conflict|the target of disk0 is/);
});
