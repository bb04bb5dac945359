import assert from 'node:assert/strict';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TargetFile } from '../../movers/mount-mover/target-file.ts';
import { TestClock } from '../equipment/test-clock.ts';

/** A target whose reads take as long as the test says. */
async function bench(t: TestContext) {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-target-'));
	const path = join(directory, 'disk0.raw');
	await writeFile(path, 'content');
	const clock = new TestClock();
	const took = { ms: 0 };
	const now = () => (clock.ms += took.ms);
	const target = new TargetFile({ path, offsetBytes: 0 }, await open(path, 'r'), { now });
	t.after(async () => {
		await target.close();
		await rm(directory, { recursive: true });
	});
	return { target, took, into: Buffer.alloc(7) };
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

test('`TargetFile.readNow` past the end is false, and `readLater` says why', async t => {
	const { target, into } = await bench(t);
	assert.equal(target.readNow(into, 0, 4, 7), false);
	const error = await new Promise(resolve => target.readLater(into, 0, { offset: 4, length: 7 }, resolve));
	assert.ok(error instanceof Error && /ends there/.test(error.message));
	assert.equal(target.failure, error);
});
