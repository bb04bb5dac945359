import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Worker } from 'node:worker_threads';
import * as z from 'zod';
import { ThreadLost, ThreadPool, type ThreadPoolOptions } from '../../system/thread-pool.ts';
import { waitFor } from '../../system/wait.ts';

const answerSchema = z.object({ word: z.string(), thread: z.int() });
const soon = { timeoutMs: 20_000 };
type Answer = z.infer<typeof answerSchema>;

function pool(t: { after(call: () => unknown): void }, more: Partial<ThreadPoolOptions<Answer>> = {}) {
	const entry = new URL('../equipment/thread-for-pool.ts', import.meta.url);
	const threads = new ThreadPool({ entry, most: 2, parse: answer => answerSchema.parse(answer), ...more });
	t.after(() => threads.close());
	return threads;
}

test('`ThreadPool.run` answers each job with what its thread returned or threw', async t => {
	const threads = pool(t);
	assert.equal(threads.threads, 0, 'no thread before there is a job');
	const words = Array.from({ length: 20 }, (_, number) => `word ${number}`);
	const answers = await Promise.all(words.map(word => threads.run({ what: 'say', word })));
	assert.deepEqual(
		answers.map(({ word }) => word),
		words,
	);
	await assert.rejects(threads.run({ what: 'throw', word: 'disk' }), {
		code: 'io_failed',
		message: 'no disk',
		hint: 'none',
	});
	await assert.rejects(threads.run({ what: 'no such thing' }));
	assert.equal((await threads.run({ what: 'say', word: 'on' })).word, 'on');
});

test('`ThreadPool.run` starts another thread only while those that there are have enough to do', async t => {
	const threads = pool(t, { most: 3, jobsEach: 2 });
	for (let turn = 0; turn < 5; turn++) await threads.run({ what: 'say' });
	assert.equal(threads.threads, 1);
	const shared = new Int32Array(new SharedArrayBuffer(8));
	const held = Array.from({ length: 9 }, () => threads.run({ what: 'say', shared }));
	await waitFor('three threads hold a job', () => Atomics.load(shared, 0) === 3, soon);
	assert.equal(threads.threads, 3);
	Atomics.store(shared, 1, 1);
	Atomics.notify(shared, 1);
	assert.equal(new Set((await Promise.all(held)).map(({ thread }) => thread)).size, 3);
});

test('`ThreadPool.run` starts no more than one thread at a time, unless they are to start together', async t => {
	for (const startsTogether of [false, true]) {
		const threads = pool(t, { most: 3, jobsEach: 1, startsTogether });
		const said = Array.from({ length: 5 }, () => threads.run({ what: 'say' }));
		assert.equal(threads.threads, startsTogether ? 3 : 1);
		await Promise.all(said);
	}
});

test('`ThreadPool` ends threads that have had nothing to do for a while, and starts them anew', async t => {
	const threads = pool(t, { idleMs: 20 });
	const first = await threads.run({ what: 'say' });
	await waitFor('the thread is ended', () => threads.threads === 0, soon);
	assert.notEqual((await threads.run({ what: 'say' })).thread, first.thread);
});

test('`ThreadPool.run` rejects with `ThreadLost` when its thread dies, and goes on with another until too many have', async t => {
	const threads = pool(t, { most: 1 });
	await assert.rejects(threads.run({ what: 'exit' }), ThreadLost);
	assert.equal((await threads.run({ what: 'say', word: 'on' })).word, 'on');
	const [crashed, beside] = await Promise.allSettled([
		threads.run({ what: 'crash', word: 'a bug' }),
		threads.run({ what: 'wait' }),
	]);
	assert.ok(crashed.status === 'rejected' && crashed.reason instanceof ThreadLost);
	assert.equal(crashed.reason.message, 'a thread has died: a bug');
	assert.ok(beside.status === 'rejected' && beside.reason instanceof ThreadLost);
	const last = [threads.run({ what: 'exit' }), threads.run({ what: 'say' }), threads.run({ what: 'say' })];
	for (const run of last) await assert.rejects(run, ThreadLost);
	await assert.rejects(threads.run({ what: 'say' }), ThreadLost);
});

test('`ThreadPool.run` rejects with `ThreadLost` where no thread can be started, and does with those that there are', async t => {
	const none = pool(t, { entry: new URL('none:') });
	await assert.rejects(none.run({ what: 'say' }), ThreadLost);
	const entry = new URL('../equipment/thread-for-pool.ts', import.meta.url);
	const threads = pool(t, { entry, jobsEach: 1 });
	const shared = new Int32Array(new SharedArrayBuffer(8));
	const held = threads.run({ what: 'say', shared });
	entry.href = 'none:';
	const queued = threads.run({ what: 'say', word: 'on' });
	await waitFor('the first is held', () => Atomics.load(shared, 0) === 1, soon);
	Atomics.store(shared, 1, 1);
	Atomics.notify(shared, 1);
	assert.equal((await queued).thread, (await held).thread);
	assert.equal((await threads.run({ what: 'say', word: 'on' })).word, 'on');
});

test('a signal takes a job back that has not begun, and stops one that waits or computes', async t => {
	const threads = pool(t, { most: 1, jobsEach: 1 });
	const abort = new AbortController();
	const shared = new Int32Array(new SharedArrayBuffer(8));
	const waits = threads.run({ what: 'wait', shared }, abort.signal);
	const queued = threads.run({ what: 'say' }, abort.signal);
	await waitFor('the job has begun', () => Atomics.load(shared, 0) === 1, soon);
	const reason = new Error('enough');
	abort.abort(reason);
	await assert.rejects(queued, reason);
	assert.equal((await waits).word, 'stopped');
	const other = new AbortController();
	const spins = threads.run({ what: 'spin', word: 'spun', shared: new Int32Array([0, 1]) }, other.signal);
	other.abort();
	assert.equal((await spins).word, 'spun');
	await assert.rejects(threads.run({ what: 'say' }, abort.signal), reason);
});

test('`ThreadPool.close` stops what runs, rejects what has not begun, and leaves no thread', async t => {
	const threads = pool(t, { most: 1, jobsEach: 1 });
	const shared = new Int32Array(new SharedArrayBuffer(8));
	const runs = threads.run({ what: 'wait', shared });
	const queued = threads.run({ what: 'say' });
	await waitFor('the job has begun', () => Atomics.load(shared, 0) === 1, soon);
	const [ran, never] = await Promise.allSettled([runs, queued, threads.close()]);
	assert.ok(ran.status === 'fulfilled' && ran.value.word === 'stopped');
	assert.ok(never.status === 'rejected' && never.reason instanceof ThreadLost);
	assert.equal(threads.threads, 0);
	await assert.rejects(threads.run({ what: 'say' }), ThreadLost);
});

test('`ThreadPool.close` waits for a thread that is being ended already', async t => {
	const exits: number[] = [];
	const onWorker = (worker: Worker) => worker.once('exit', code => exits.push(code));
	process.once('worker', onWorker);
	t.after(() => process.off('worker', onWorker));
	const threads = pool(t);
	await threads.run({ what: 'say' });
	const first = threads.close();
	assert.equal(threads.threads, 0);
	await threads.close();
	assert.equal(exits.length, 1);
	await first;
});
