import assert from 'node:assert/strict';
import { open, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import type { MoverDisk } from '../../movers/config.ts';
import { Migration } from '../../movers/migration-mover/migration.ts';
import { takeOffer } from '../../movers/migration-mover/offers.ts';
import { TokenBucket } from '../../movers/migration-mover/token-bucket.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { openRepository } from '../../repository/repository.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { systemClock } from '../../system/clock.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { HeldThreads } from '../equipment/held-threads.ts';
import { allocateTarget, checkClaims, sampleRecoveryId } from '../equipment/movers.ts';
import { damagePack, sampleDisk, type StoredDisk, storeDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const soon = { timeoutMs: 30_000 };

interface Bench {
	directory: string;
	stored: StoredDisk;
	disk: MoverDisk;
	held: HeldThreads;
	migration: Migration;
	/** Lines. */
	log: string[];
	/** What the thread of the migration itself has fetched, in chunks. */
	fetched: () => number;
	/** For the thread of the migration itself the repository can be away; then the places of the chunks that it was asked for first. */
	repository: { isAway: boolean; asked: Set<number | undefined> };
}

/** A migration in this process whose copies are made by threads that can be held up. */
async function bench(t: TestContext, { sizeBytes = 6 * MiB + 77, most = 1, damageAt = 0 } = {}): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(sizeBytes));
	if (damageAt > 0) await damagePack(stored, damageAt);
	const { store } = await openRepository(stored.directory);
	const direct = new DirectChunkSource(store);
	let fetched = 0;
	const repository = { isAway: false, asked: new Set<number | undefined>() };
	const counting: ChunkSource = {
		async *fetch(refs, options) {
			if (repository.isAway) {
				repository.asked.add(refs[0]?.place?.number);
				throw new RouseError('mover_unreachable', 'it is away');
			}
			for await (const chunk of direct.fetch(refs, options)) {
				fetched += 1;
				yield chunk;
			}
		},
		close: () => store.close(),
	};
	const source = new RetryingChunkSource(counting, systemClock);
	const held = new HeldThreads(t, stored.directory, most);
	const disk = await allocateTarget(directory, stored.image);
	const log: string[] = [];
	const migration = new Migration(sampleRecoveryId, [disk], {
		log: pino({ level: 'info' }, { write: line => void log.push(line) }),
		source,
		bucket: new TokenBucket(0, systemClock),
		reached: () => {},
		freeBytes: async () => Number.POSITIVE_INFINITY,
		threads: { threads: held.threads, aboveBytes: 0 },
	});
	t.after(async () => {
		held.release();
		await migration.close();
		await source.close();
	});
	await migration.open();
	return { directory, stored, disk, held, migration, log, repository, fetched: () => fetched };
}

const ended = (migration: Migration) => waitFor('the copy to end', () => !migration.state().copying, soon);

async function assertWhole({ migration, stored, disk }: Bench): Promise<void> {
	assert.deepEqual(
		{ failure: migration.state().failure, complete: migration.state().disks[0]?.complete },
		{ failure: null, complete: true },
	);
	assert.equal(
		(await readFile(disk.target.path)).compare(stored.bytes, 0, stored.bytes.length, 0, stored.bytes.length),
		0,
	);
	assert.deepEqual((await checkClaims(stored, disk)).complete, true);
}

test('threads copy all but pages and the last chunk, and what they wrote is counted', async t => {
	const made = await bench(t, { most: 2 });
	made.migration.copy();
	await ended(made.migration);
	await assertWhole(made);
	assert.ok(made.fetched() <= 4, `${made.fetched()} chunks fetched beside the threads`);
	assert.equal(made.migration.state().writtenBytes, made.stored.image.dataBytes);
});

test('an offer of a chunk that a thread may be writing is turned away, and taken as there when it is written', async t => {
	const { migration, held, stored } = await bench(t);
	const [entry] = migration.disks;
	assert.ok(entry?.target);
	const { store } = await openRepository(stored.directory);
	t.after(() => store.close());
	const source = new DirectChunkSource(store);
	const ref = await new DiskReader(new VerifiedChunks(source), stored.image).lookup(0);
	assert.ok(ref !== 'zero');
	let bytes = Buffer.alloc(0);
	for await (const chunk of source.fetch([ref], { class: 'mount' })) bytes = Buffer.from(chunk.stored);
	held.hold();
	migration.copy();
	await held.aboutToWrite();
	assert.equal(entry.target.isLent(0), true);
	assert.equal(await takeOffer(migration, entry, 0, bytes), false);
	held.release();
	await ended(migration);
	assert.equal(await takeOffer(migration, entry, 0, bytes), true);
});

for (const [what, call] of [
	['pause', (migration: Migration) => migration.pause()],
	['close', (migration: Migration) => migration.close()],
] as const)
	test(`${what} waits for a thread that is about to write, which then writes nothing`, async t => {
		const { migration, held, disk } = await bench(t);
		held.hold();
		migration.copy();
		await held.aboutToWrite();
		await assertHeldOpen(disk, held, () => call(migration));
		assert.ok((await readFile(disk.target.path)).every(byte => byte === 0));
		assert.equal(await isOpen(disk.target.path), what === 'pause');
	});

test('a target that fails while a thread is about to write: nothing more is written or recorded, and a retry opens it when the thread has ended', async t => {
	const made = await bench(t);
	const { migration, held, disk, stored } = made;
	const target = migration.disks[0]?.target;
	assert.ok(target);
	held.hold();
	migration.copy();
	await held.aboutToWrite();
	const probe = await open(disk.target.path, 'r');
	const failing = t.mock.method(Object.getPrototypeOf(probe), 'write', async () => {
		throw Object.assign(new Error('EIO: i/o error, write'), { code: 'EIO' });
	});
	const last = Math.ceil(stored.image.sizeBytes / stored.image.chunkSizeBytes) - 1;
	await assert.rejects(target.write(last, Buffer.alloc(77)), { code: 'io_failed' });
	failing.mock.restore();
	await probe.close();
	assert.equal(migration.state().failure?.code, 'io_failed');
	await assertHeldOpen(disk, held, async () => {
		await migration.pause();
		assert.ok(
			(await readFile(disk.target.path)).every(byte => byte === 0),
			'a thread wrote after the failure',
		);
		migration.copy();
		await migration.retry();
	});
	await ended(migration);
	await assertWhole(made);
});

/** While the thread is held the call waits, and the target's descriptor stays: closed, its number might be another file's. */
async function assertHeldOpen(disk: MoverDisk, held: HeldThreads, call: () => Promise<void>): Promise<void> {
	let isDone = false;
	const called = call().finally(() => {
		isDone = true;
	});
	await delay(20); // long enough for one that does not wait
	assert.equal(isDone, false);
	assert.equal(await isOpen(disk.target.path), true);
	held.release();
	await called;
}

/** Whether this process has it open. */
async function isOpen(path: string): Promise<boolean> {
	const links = (await readdir('/proc/self/fd')).map(fd => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
	return (await Promise.all(links)).includes(path);
}

test('threads that die leave their chunks to the copy without them, which asks none any more when too many have', async t => {
	const made = await bench(t, { sizeBytes: 24 * MiB + 77, most: 1 });
	made.held.kill();
	made.migration.copy();
	await ended(made.migration);
	await assertWhole(made);
	assert.ok(made.fetched() > 20, `${made.fetched()} chunks fetched beside the threads`);
	assert.equal(made.migration.state().writtenBytes, made.stored.image.dataBytes);
	const left = made.log.filter(line => line.includes('that a thread could not copy'));
	assert.ok(left.length <= 3 * 2, `${left.length} jobs left by three threads with two each`);
});

test('while the repository is away two fetches wait for it, however many jobs the threads leave; when it is back threads go on', async t => {
	const made = await bench(t, { sizeBytes: 24 * MiB + 77, most: 2 });
	const { held, migration, repository } = made;
	held.hold();
	migration.copy();
	await held.aboutToWrite();
	repository.isAway = true;
	held.away();
	const target = migration.disks[0]?.target;
	const chunks = Array.from({ length: 384 }, (_, index) => index);
	const noneLent = () => !chunks.some(index => target?.isLent(index));
	await waitFor('two fetches and no thread at work', () => repository.asked.size >= 2 && noneLent(), soon);
	await delay(20); // long enough for a fetch that does not wait
	assert.equal(repository.asked.size, 2);
	// A chunk that a thread has brought may have ended the trouble; the next try of a fetch, which comes soon, has it again.
	await waitFor('the trouble', () => migration.state().trouble?.code === 'mover_unreachable', soon);
	repository.isAway = false;
	held.release();
	await ended(migration);
	await assertWhole(made);
	assert.equal(migration.state().trouble, null);
	const { chunkSizeBytes } = made.stored.image;
	const leftAtMost = (4 * 2 * MiB) / chunkSizeBytes; // four jobs
	assert.ok(made.fetched() <= leftAtMost + 4, `${made.fetched()} chunks fetched beside the threads`);
});

test('a chunk that is bad wherever it lies is named once, and all others are copied', async t => {
	const { migration, stored, disk } = await bench(t, { damageAt: 200_000 });
	migration.copy();
	await ended(migration);
	const { failure, badChunks, writtenBytes } = migration.state();
	assert.equal(failure?.code, 'chunk_bad');
	const [digest] = badChunks.map(bad => bad.digest);
	assert.ok(badChunks.every(bad => bad.digest === digest));
	assert.equal(new Set(badChunks.map(({ index }) => index)).size, badChunks.length, 'each place once');
	const { claimed } = await checkClaims(stored, disk);
	const { sizeBytes, chunkSizeBytes, dataBytes } = stored.image;
	assert.equal(claimed, Math.ceil(sizeBytes / chunkSizeBytes) - badChunks.length);
	assert.equal(writtenBytes, dataBytes - badChunks.length * chunkSizeBytes);
});
