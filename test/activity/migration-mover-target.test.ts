import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type LentChunk, MigrationTarget } from '../../movers/migration-mover/target.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { recordBytes } from '../../movers/restored-map/layout.ts';
import { readMap } from '../../movers/restored-map/reader.ts';
import { RestoredMapWriter } from '../../movers/restored-map/writer.ts';
import { FileWriteError } from '../../repository/copy/file-write-error.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { allocateTarget, sampleRecoveryId } from '../equipment/movers.ts';

const chunkSizeBytes = 1024 * 1024;
const image = {
	sizeBytes: 40 * chunkSizeBytes,
	chunkSizeBytes,
	frameSizeBytes: 65_536,
	contentDigest: 'ab'.repeat(32),
	dataBytes: 0,
};

/** Calls to the kernel in the order in which they began and ended, with the chunks they are about. */
type Event = { what: 'written' | 'sync' | 'synced' | 'record'; chunks: number[] };

interface Bench {
	target: MigrationTarget;
	file: FileHandle;
	events: Event[];
	targetPath: string;
}

/** A target whose calls to the kernel are written down. */
async function bench(t: TestContext): Promise<Bench> {
	const disk = await allocateTarget(await temporaryDirectory(t), image);
	const events: Event[] = [];
	const file = await open(disk.target.path, 'r+');
	const mapFile = await open(disk.mapPath, 'r+');
	const identity = restoredMapIdentity(sampleRecoveryId, image, disk.target.identity);
	const map = await readMap(disk.mapPath, mapFile, identity);
	watchTarget(file, events);
	watchMap(mapFile, events);
	const target = new MigrationTarget(disk, file, new RestoredMapWriter(map, mapFile), () => {});
	t.after(() => target.close());
	return { target, file, events, targetPath: disk.target.path };
}

function watchTarget(file: FileHandle, events: Event[]): void {
	const [write, datasync] = [file.write.bind(file), file.datasync.bind(file)];
	Object.assign(file, {
		async write(bytes: Buffer, offset: number, length: number, position: number) {
			const result = await write(bytes, offset, length, position);
			events.push({ what: 'written', chunks: [Math.floor(position / chunkSizeBytes)] });
			return result;
		},
		async datasync() {
			events.push({ what: 'sync', chunks: [] });
			await datasync();
			await delay(20); // a slow disk: others write meanwhile
			events.push({ what: 'synced', chunks: [] });
		},
	});
}

function watchMap(file: FileHandle, events: Event[]): void {
	const write = file.write.bind(file);
	Object.assign(file, {
		write(bytes: Buffer, offset: number, length: number, position: number) {
			const chunks: number[] = [];
			for (let at = offset; at < offset + length; at += recordBytes)
				for (let n = 0; n < bytes.readUInt32LE(at + 8); n += 1) chunks.push(bytes.readUInt32LE(at + 4) + n);
			events.push({ what: 'record', chunks });
			return write(bytes, offset, length, position);
		},
	});
}

/** Chunks are recorded after a sync that began when they were written: lost with the power would be what was not synced. */
function assertSyncedBeforeRecorded(events: readonly Event[]): number {
	const written = new Set<number>();
	const recorded = new Set<number>();
	let [underSync, synced] = [new Set<number>(), new Set<number>()];
	for (const { what, chunks } of events) {
		if (what === 'written') for (const chunk of chunks) written.add(chunk);
		else if (what === 'sync') underSync = new Set(written);
		else if (what === 'synced') synced = underSync;
		else
			for (const chunk of chunks) {
				assert.ok(synced.has(chunk), `chunk ${chunk} is recorded and not synced`);
				recorded.add(chunk);
			}
	}
	return recorded.size;
}

test('a chunk is recorded after a sync that began when it was written, never earlier', async t => {
	const { target, events } = await bench(t);
	const bytes = Buffer.alloc(chunkSizeBytes, 1);
	const lane = async (from: number) => {
		for (let chunk = from; chunk < from + 20; chunk += 1) await target.write(chunk, bytes);
	};
	await Promise.all([lane(0), lane(20)]);
	await target.flush();
	assert.equal(target.summary().complete, true);
	assert.equal(assertSyncedBeforeRecorded(events), 40);
});

/** As a thread: writes by the descriptor, at a time that nobody knows before, and not all of it. */
const writeAsThread =
	(events: Event[], number: () => number, isLeft: (chunk: number) => boolean = () => false) =>
	async (lent: readonly LentChunk[], fd: number) => {
		await delay(number() % 7);
		const written = lent.filter(({ index }) => !isLeft(index));
		for (const { index, rawBytes } of written) {
			writeSync(fd, Buffer.alloc(rawBytes, index + 1), 0, rawBytes, index * chunkSizeBytes);
			events.push({ what: 'written', chunks: [index] });
		}
		await delay(number() % 7); // written, and nobody knows of it yet
		return written;
	};

for (const seed of [1, 2, 3])
	test(`whoever writes which chunk and when, each is written once and recorded after its sync (seed ${seed})`, async t => {
		const { target, events, targetPath } = await bench(t);
		let state = seed * 7919;
		const number = () => (state = (state * 1103515245 + 12345) % 2 ** 31) >>> 8;
		const chunkOf = (index: number) => ({ index, rawBytes: chunkSizeBytes });
		const lane = async () => {
			for (let turn = 0; turn < 12; turn += 1) {
				const first = number() % 38;
				const isLeft = (index: number) => (index + turn) % 3 === 0;
				if (number() % 2 === 0) {
					const wanted = [first, first + 1, first + 2].map(chunkOf);
					const left = await target.lend(
						wanted,
						(1 + (number() % 8)) * chunkSizeBytes,
						writeAsThread(events, number, isLeft),
					);
					assert.ok(left.every(({ index }) => isLeft(index)));
				} else await target.write(first, Buffer.alloc(chunkSizeBytes, first + 1));
			}
		};
		await Promise.all([lane(), lane(), lane(), lane()]);
		const others = Array.from({ length: 40 }, (_, index) => chunkOf(index));
		assert.deepEqual(await target.lend(others, 8 * chunkSizeBytes, writeAsThread(events, number)), []);
		await target.flush();
		assert.equal(target.summary().complete, true);
		assert.equal(assertSyncedBeforeRecorded(events), 40);
		const written = events.filter(({ what }) => what === 'written').flatMap(({ chunks }) => chunks);
		assert.deepEqual(
			written.toSorted((a, b) => a - b),
			others.map(({ index }) => index),
		);
		const bytes = await readFile(targetPath);
		assert.ok(others.every(({ index }) => bytes[(index + 1) * chunkSizeBytes - 1] === index + 1));
	});

test('while a group is being synced no more is lent than another one, whether it is still written or not', async t => {
	const { target, events, file } = await bench(t);
	const [syncs, slow] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const datasync = file.datasync.bind(file);
	file.datasync = async () => {
		syncs.resolve();
		await slow.promise;
		await datasync();
	};
	const groupBytes = 4 * chunkSizeBytes;
	const begun: number[] = [];
	let ended = 0;
	const [writes, eighth] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	const lendEach = (from: number, to: number) =>
		Array.from({ length: to - from }, (_, n) =>
			target.lend([{ index: from + n, rawBytes: chunkSizeBytes }], groupBytes, async (lent, fd) => {
				begun.push(from + n);
				if (from >= 4) await writes.promise;
				const written = await writeAsThread(events, () => 0)(lent, fd);
				if (++ended === 8) eighth.resolve();
				return written;
			}),
		);
	const first = lendEach(0, 4);
	await syncs.promise;
	const second = lendEach(4, 20);
	const onTheirWay = begun.length; // whoever need not wait has begun within the call
	writes.resolve();
	await eighth.promise;
	await new Promise(setImmediate); // it knows of that, too
	const third = lendEach(20, 40);
	await new Promise(setImmediate);
	const written = begun.length;
	slow.resolve();
	await Promise.all([...first, ...second, ...third]);
	await target.flush();
	assert.deepEqual({ onTheirWay, written }, { onTheirWay: 8, written: 8 });
	assert.equal(assertSyncedBeforeRecorded(events), 40);
});

test('a target that is closed tells who writes what is lent, and keeps its file open until he has ended', async t => {
	const { target, file } = await bench(t);
	const writes = Promise.withResolvers<void>();
	const lent = target.lend([{ index: 0, rawBytes: chunkSizeBytes }], chunkSizeBytes, async chunks => {
		await writes.promise;
		return chunks;
	});
	let isClosed = false;
	const closed = target.close().finally(() => {
		isClosed = true;
	});
	assert.equal(target.over.aborted, true);
	await delay(20); // long enough for one that does not wait
	assert.deepEqual({ isClosed, isOpen: file.fd >= 0 }, { isClosed: false, isOpen: true });
	writes.resolve();
	await assert.rejects(lent, { code: 'interrupted' });
	await closed;
	assert.equal(target.summary().restoredChunks, 0);
});

test('an error of who writes what is lent is the end of the target, and he is told to stop', async t => {
	const { target } = await bench(t);
	const beside = target.lend([{ index: 1, rawBytes: chunkSizeBytes }], chunkSizeBytes, async lent => {
		await once(target.over, 'abort');
		return lent;
	});
	const cause = new FileWriteError({ code: 'ENOSPC', message: 'no space left', atBytes: 4096, lengthBytes: 512 });
	const lost = target.lend([{ index: 0, rawBytes: chunkSizeBytes }], chunkSizeBytes, () => Promise.reject(cause));
	await assert.rejects(lost, { code: 'space_short', message: /512 bytes.* at offset 4096: no space left/ });
	await assert.rejects(beside, { code: 'space_short' });
	await assert.rejects(target.flush(), { code: 'space_short' });
	assert.equal(target.summary().restoredChunks, 0);
});

test('a sync that failed is never followed by one that succeeds: what was written is not recorded', async t => {
	const { target, file } = await bench(t);
	const datasync = file.datasync.bind(file);
	file.datasync = async () => {
		file.datasync = datasync; // as the kernel does: the error is reported once, the lost pages are forgotten
		throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
	};
	await target.write(0, Buffer.alloc(chunkSizeBytes, 1));
	await assert.rejects(target.flush(), { code: 'io_failed' });
	await assert.rejects(target.flush(), { code: 'io_failed' });
	await assert.rejects(target.write(1, Buffer.alloc(chunkSizeBytes, 1)), { code: 'io_failed' });
	assert.equal(target.summary().restoredChunks, 0);
});

test('a chunk that is in hand is not written a second time', async t => {
	const { target, targetPath } = await bench(t);
	await Promise.all([
		target.write(5, Buffer.alloc(chunkSizeBytes, 1)),
		target.write(5, Buffer.alloc(chunkSizeBytes, 2)),
	]);
	assert.equal(target.has(5), true);
	assert.equal(target.summary().restoredChunks, 0);
	await target.flush();
	assert.equal(target.summary().restoredChunks, 1);
	assert.equal((await readFile(targetPath))[5 * chunkSizeBytes], 1);
});
