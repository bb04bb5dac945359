import assert from 'node:assert/strict';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MigrationTarget } from '../../movers/migration-mover/target.ts';
import { restoredMapIdentity } from '../../movers/restored-map/identity.ts';
import { recordBytes } from '../../movers/restored-map/layout.ts';
import { readMap } from '../../movers/restored-map/reader.ts';
import { RestoredMapWriter } from '../../movers/restored-map/writer.ts';
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

test('a chunk is recorded after a sync that began when it was written, never earlier', async t => {
	const { target, events } = await bench(t);
	const bytes = Buffer.alloc(chunkSizeBytes, 1);
	const lane = async (from: number) => {
		for (let chunk = from; chunk < from + 20; chunk += 1) await target.write(chunk, bytes);
	};
	await Promise.all([lane(0), lane(20)]);
	await target.flush();
	assert.equal(target.summary().complete, true);

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
	assert.equal(recorded.size, 40);
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
