import assert from 'node:assert/strict';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { CopyJob } from '../../repository/copy/copy-job.ts';
import { FileWriteError } from '../../repository/copy/file-write-error.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { openRepository } from '../../repository/repository.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { HeldThreads } from '../equipment/held-threads.ts';
import { sampleDisk, storeDisk } from '../equipment/stored-disk.ts';

const MiB = 1024 * 1024;
const none = new AbortController().signal;

interface Bench {
	held: HeldThreads;
	/** All chunks with data, in order, into a file of the disk's size. */
	job: CopyJob;
	bytes: Buffer;
	target: string;
}

async function bench(t: TestContext): Promise<Bench> {
	const directory = await temporaryDirectory(t);
	const stored = await storeDisk(join(directory, 'repository'), sampleDisk(4 * MiB));
	const { store } = await openRepository(stored.directory);
	t.after(() => store.close());
	const chunks = new VerifiedChunks(new DirectChunkSource(store));
	const target = join(directory, 'target');
	const file = await open(target, 'w+');
	t.after(() => file.close());
	await file.truncate(stored.bytes.length);
	const job: CopyJob = { fd: file.fd, refs: [], rawBytes: [], atBytes: [] };
	for await (const { index, ref, bytes } of diskChunks(chunks, new DiskReader(chunks, stored.image), {
		class: 'migration',
	})) {
		job.refs.push(ref);
		job.rawBytes.push(bytes.length);
		job.atBytes.push(index * stored.image.chunkSizeBytes);
	}
	return { held: new HeldThreads(t, stored.directory), job, bytes: stored.bytes, target };
}

const all = ({ refs }: CopyJob) => refs.map((_, position) => position);

test('`CopyThreads.copy` writes chunks to their places in few writes', async t => {
	const { held, job, bytes, target } = await bench(t);
	assert.equal(held.threads.threads, 0, 'no thread before there is a job');
	const { written, why } = await held.threads.copy(job, none);
	assert.deepEqual({ written, why }, { written: all(job), why: undefined });
	assert.equal((await readFile(target)).compare(bytes), 0);
	assert.ok(held.writes <= job.refs.length / 2, `${held.writes} writes of ${job.refs.length} chunks`);
});

for (const [where, bad] of [
	['first', 0],
	['in the middle', 2],
	['last', -1],
] as const)
	test(`a chunk that does not match, ${where} of its run, is left and nothing is written in its place`, async t => {
		const { held, job, bytes, target } = await bench(t);
		const position = bad < 0 ? job.refs.length + bad : bad;
		const ref = job.refs[position];
		assert.ok(ref);
		job.refs[position] = { ...ref, digest: ref.digest.replace(/^./, first => (first === '0' ? '1' : '0')) };
		const { written, why } = await held.threads.copy(job, none);
		assert.equal(why?.code, 'chunk_bad');
		assert.deepEqual(
			written,
			all(job).filter(one => one !== position),
		);
		const found = await readFile(target);
		const [at, length] = [job.atBytes[position] ?? 0, job.rawBytes[position] ?? 0];
		assert.ok(found.subarray(at, at + length).every(byte => byte === 0));
		bytes.copy(found, at, at, at + length);
		assert.equal(found.compare(bytes), 0);
	});

test('of a source that fails in the middle, what came before is written and the rest is left', async t => {
	const { held, job } = await bench(t);
	const refs = job.refs.map((ref, position) =>
		position < 5 ? ref : { ...ref, packId: 'f'.repeat(32), digest: 'f'.repeat(64) },
	);
	const { written, why } = await held.threads.copy({ ...job, refs }, none);
	assert.deepEqual({ written, code: why?.code }, { written: [0, 1, 2, 3, 4], code: 'chunk_missing' });
});

test('a copy that is stopped settles when nothing writes for it any more, and writes nothing after that', async t => {
	const { held, job, target } = await bench(t);
	held.hold();
	const abort = new AbortController();
	let settled = false;
	const copied = held.threads.copy(job, abort.signal).finally(() => {
		settled = true;
	});
	await held.aboutToWrite();
	abort.abort(new Error('enough'));
	await delay(20); // long enough for an answer that does not wait for the thread
	assert.equal(settled, false, 'a thread is about to write');
	held.release();
	assert.deepEqual(await copied, { written: [] });
	assert.ok((await readFile(target)).every(byte => byte === 0));
});

test('a write that fails is thrown as the file system says it', async t => {
	const { held, job } = await bench(t);
	const full = await open('/dev/full', 'w');
	t.after(() => full.close());
	await assert.rejects(held.threads.copy({ ...job, fd: full.fd }, none), (error: unknown) => {
		assert.ok(error instanceof FileWriteError);
		assert.equal(error.code, 'ENOSPC');
		return true;
	});
});

test('a thread that dies leaves its chunks, and the next does them', async t => {
	const { held, job, bytes, target } = await bench(t);
	held.kill();
	const { written, why } = await held.threads.copy(job, none);
	assert.deepEqual({ written, why: why?.message }, { written: [], why: 'a thread has died' });
	held.release();
	assert.deepEqual((await held.threads.copy(job, none)).written, all(job));
	assert.equal((await readFile(target)).compare(bytes), 0);
});
