import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TargetFile } from '../../movers/mount-mover/target-file.ts';
import { TestClock } from '../equipment/test-clock.ts';

/** A target whose reads take as long as the test says, and come from the disk when it says so. */
async function bench(t: TestContext) {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-target-'));
	const path = join(directory, 'disk0.raw');
	await writeFile(path, 'content');
	const clock = new TestClock();
	const took = { ms: 0, fromDisk: true };
	const now = () => (clock.ms += took.ms);
	let blocks = 0;
	const blocksRead = () => (blocks += took.fromDisk ? 8 : 0);
	const target = new TargetFile({ path, offsetBytes: 0 }, await open(path, 'r'), { now }, blocksRead);
	t.after(async () => {
		await target.close();
		await rm(directory, { recursive: true });
	});
	const into = Buffer.alloc(7);
	/** One that takes so long. */
	const readIn = (ms: number) => {
		took.ms = ms;
		const atOnce = target.readNow(into, 0, 0, 7);
		took.ms = 0;
		return atOnce;
	};
	/** How many are left to the thread pool before one is made at once, which is quick. */
	const polite = () => {
		let count = 0;
		while (!target.readNow(into, 0, 0, 7)) count += 1;
		return count;
	};
	return { target, path, took, into, readIn, polite };
}

test('`TargetFile.readNow` reads at once while that is quick', async t => {
	const { target, into } = await bench(t);
	for (let read = 0; read < 100; read += 1) assert.equal(target.readNow(into, 0, 0, 7), true);
	assert.equal(into.toString(), 'content');
});

test('`TargetFile.readNow` after a slow read leaves the next ones to the thread pool, and then tries again', async t => {
	const { target, took, into } = await bench(t);
	took.ms = 3;
	assert.equal(target.readNow(into, 0, 0, 7), true);
	took.ms = 0;
	const answers = Array.from({ length: 33 }, () => target.readNow(into, 0, 0, 7));
	assert.deepEqual(answers, [...Array.from({ length: 32 }, () => false), true]);
});

test('`TargetFile.readNow` after a slow read that failed leaves the next ones to the thread pool', async t => {
	const { target, took, into, polite } = await bench(t);
	took.ms = 3;
	assert.equal(target.readNow(into, 0, 4, 7), false);
	took.ms = 0;
	assert.equal(polite(), 32);
});

test('`TargetFile.readNow`: 0.3 ms from the disk are slow, and so long that the process was held up are not', async t => {
	const { took, readIn, polite } = await bench(t);
	took.fromDisk = false;
	assert.ok(readIn(10));
	assert.equal(polite(), 0);
	took.fromDisk = true;
	assert.ok(readIn(0.3));
	assert.equal(polite(), 32);
	assert.ok(readIn(0.1));
	assert.equal(polite(), 0);
});

test('`TargetFile.readNow`: a read of 1 MiB may take longer than one of a chunk', async t => {
	const { target, path, took, polite } = await bench(t);
	const mebibyte = new Uint8Array(1024 * 1024);
	await writeFile(path, mebibyte);
	took.ms = 1.5;
	assert.ok(target.readNow(Buffer.from(mebibyte), 0, 0, mebibyte.length));
	took.ms = 0;
	assert.equal(polite(), 0);
	took.ms = 1.7;
	assert.ok(target.readNow(Buffer.from(mebibyte), 0, 0, mebibyte.length));
	took.ms = 0;
	assert.equal(polite(), 32);
});

test('`TargetFile.readNow` leaves ever more to the thread pool while the disk is slow, and after as many quick ones few again', async t => {
	const { target, into, readIn, polite } = await bench(t);
	const waits: number[] = [];
	for (let round = 0; round < 8; round += 1) {
		while (!readIn(5)) waits[round] = (waits[round] ?? 0) + 1;
	}
	assert.deepEqual(waits.slice(1), [32, 64, 128, 256, 512, 1024, 1024]);
	assert.equal(polite(), 1024);
	for (let quick = 0; quick < 1023; quick += 1) assert.ok(target.readNow(into, 0, 0, 7));
	assert.ok(readIn(5));
	assert.equal(polite(), 32);
});

test('`TargetFile.readNow` where the file system counts no blocks: two very slow ones in turn are of the disk', async t => {
	const { took, readIn, polite } = await bench(t);
	took.fromDisk = false;
	assert.ok(readIn(3) && readIn(0) && readIn(3) && readIn(1.9));
	assert.ok(readIn(3) && readIn(3));
	assert.equal(polite(), 32);
});

test('`TargetFile.readNow` past the end is false, and `readLater` says why', async t => {
	const { target, into } = await bench(t);
	assert.equal(target.readNow(into, 0, 4, 7), false);
	const error = await new Promise(resolve => target.readLater(into, 0, { offset: 4, length: 7 }, resolve));
	assert.ok(error instanceof Error && /ends there/.test(error.message));
	assert.equal(target.failure, error);
});
