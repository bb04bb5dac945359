import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { CachedChunk } from '../../movers/mount-mover/cached-chunk.ts';
import { ChunkFetcher } from '../../movers/mount-mover/chunk-fetcher.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { waitFor } from '../../system/wait.ts';
import { ScriptedSource } from '../equipment/scripted-source.ts';

/** While the chunk is kept. */
function bytesOf(chunk: CachedChunk): Buffer {
	const bytes = Buffer.alloc(chunk.rawBytes);
	chunk.copy(bytes, 0, 0, bytes.length);
	return bytes;
}

async function bench(t: TestContext, count: number) {
	const source = new ScriptedSource();
	const retrying = new RetryingChunkSource(source, { delay: (ms, signal) => delay(ms, undefined, { signal }) });
	const arrived: number[] = [];
	const damaged: number[] = [];
	const receiver = {
		arrived: (index: number) => void arrived.push(index),
		damaged: (index: number) => void damaged.push(index),
	};
	const fetcher = new ChunkFetcher(new VerifiedChunks(retrying));
	t.after(() => fetcher.close());
	const added = await Promise.all(Array.from({ length: count }, (_, number) => source.add(number)));
	const chunks = added.map((chunk, index) => ({ ...chunk, index, receiver }));
	const want = (number: number) =>
		new Promise<Buffer>((resolve, reject) => {
			const chunk = chunks[number];
			if (chunk === undefined) throw new Error(`no chunk ${number}`);
			fetcher.want(chunk, outcome => (outcome instanceof CachedChunk ? resolve(bytesOf(outcome)) : reject(outcome)));
		});
	const ahead = (...numbers: number[]) => {
		for (const number of numbers) if (chunks[number]) fetcher.wantAhead(chunks[number]);
	};
	return { source, retrying, fetcher, chunks, arrived, damaged, want, ahead };
}

test('`ChunkFetcher.want` of several chunks at once asks for them together, each once', async t => {
	const { source, chunks, want, arrived } = await bench(t, 3);
	const got = await Promise.all([want(0), want(1), want(0), want(2), want(1)]);
	assert.deepEqual(
		got.map(bytes => bytes.equals(chunks[0]?.bytes ?? bytes.subarray(1))),
		[true, false, true, false, false],
	);
	assert.deepEqual(source.calls, [{ chunks: [0, 1, 2], locate: false }]);
	assert.deepEqual(arrived, [0, 1, 2]);
});

test('`ChunkFetcher.want` of a chunk that is being fetched does not ask again', async t => {
	const { source, want } = await bench(t, 1);
	const { promise, resolve } = Promise.withResolvers<void>();
	source.gate = promise;
	const first = want(0);
	await waitFor('the call', () => source.calls.length === 1, { timeoutMs: 5_000 });
	const second = want(0);
	resolve();
	assert.ok((await first).equals(await second));
	assert.equal(source.calls.length, 1);
});

test('`ChunkFetcher.want` with bytes that do not match locates the chunk, and asks again for what follows', async t => {
	const { source, want, damaged } = await bench(t, 3);
	source.misplaced.add(1);
	await Promise.all([want(0), want(1), want(2)]);
	assert.deepEqual(source.calls, [
		{ chunks: [0, 1, 2], locate: false },
		{ chunks: [1], locate: true },
		{ chunks: [2], locate: false },
	]);
	assert.deepEqual(damaged, []);
});

test('`ChunkFetcher.want` of bytes that match nowhere is `chunk_bad`, and hurts no other chunk', async t => {
	const { source, want, damaged, arrived } = await bench(t, 3);
	source.damaged.add(1);
	const [first, second, third] = await Promise.allSettled([want(0), want(1), want(2)]);
	assert.equal(first.status, 'fulfilled');
	assert.equal(third.status, 'fulfilled');
	assert.ok(second.status === 'rejected' && second.reason instanceof RouseError);
	assert.equal(second.reason.code, 'chunk_bad');
	assert.deepEqual(damaged, [1]);
	assert.deepEqual(arrived, [0, 2]);
});

test('`ChunkFetcher.want` waits for a source that does not answer and is asked again until it does', async t => {
	const { source, want, retrying } = await bench(t, 1);
	source.failures.push(new RouseError('store_unreachable', 'away'), new Error('something else'));
	const wanted = want(0);
	await waitFor('trouble', () => retrying.trouble?.code === 'store_unreachable', { timeoutMs: 5_000, everyMs: 1 });
	await wanted;
	assert.equal(source.calls.length, 3);
	assert.equal(retrying.trouble, undefined);
});

test('`ChunkFetcher.want` goes before `wantAhead`', async t => {
	const { source, want, ahead } = await bench(t, 6);
	ahead(0, 1, 2);
	await Promise.all([want(4), want(1)]);
	await waitFor('read-ahead', () => source.calls.length === 2, { timeoutMs: 5_000 });
	assert.deepEqual(
		source.calls.map(({ chunks }) => chunks),
		[
			[4, 1],
			[0, 2],
		],
	);
});

test('`ChunkFetcher.want` that was called off asks for nothing', async t => {
	const { source, fetcher, chunks, want } = await bench(t, 2);
	const [first] = chunks;
	if (first === undefined) throw new Error('no chunk');
	const callOff = fetcher.want(first, () => assert.fail('called off'));
	callOff();
	await want(1);
	assert.deepEqual(source.calls, [{ chunks: [1], locate: false }]);
});

test('`ChunkFetcher.wantAhead` of more than is worth while drops what was wanted first', async t => {
	const { source, ahead } = await bench(t, 300);
	ahead(...Array.from({ length: 300 }, (_, number) => number));
	await waitFor('all', () => source.calls.flatMap(({ chunks }) => chunks).length === 256, { timeoutMs: 5_000 });
	assert.equal(source.calls[0]?.chunks[0], 44);
});

test('`ChunkFetcher.want` of a chunk that is `chunk_missing` already is not located once more', async t => {
	const { source, want, damaged } = await bench(t, 2);
	source.failures.push(new RouseError('chunk_missing', 'in no pack'));
	const [first, second] = await Promise.allSettled([want(0), want(1)]);
	assert.ok(first.status === 'rejected' && first.reason.code === 'chunk_missing');
	assert.equal(second.status, 'fulfilled');
	assert.deepEqual(damaged, [0]);
	assert.deepEqual(source.calls, [
		{ chunks: [0, 1], locate: false },
		{ chunks: [1], locate: false },
	]);
});

test('`ChunkFetcher.want` from a source that gives up fails with its code, and damages nothing', async t => {
	const { source, chunks, damaged } = await bench(t, 3);
	const fetcher = new ChunkFetcher(new VerifiedChunks(source));
	source.failures.push(new RouseError('store_unreachable', 'away'));
	const want = (number: number) =>
		new Promise(resolve => fetcher.want(chunks[number] ?? assert.fail(), outcome => resolve(outcome)));
	const outcomes = await Promise.all([want(0), want(1)]);
	assert.deepEqual(
		outcomes.map(outcome => outcome instanceof RouseError && outcome.code),
		['store_unreachable', 'store_unreachable'],
	);
	assert.deepEqual(damaged, []);
	assert.ok((await want(1)) instanceof CachedChunk);
	fetcher.close();
});

test('`ChunkFetcher.want` with a waiter that throws gives the chunk to the others, and ends the process', () => {
	const program = `
		const { ChunkFetcher } = await import('./movers/mount-mover/chunk-fetcher.ts');
		const { ScriptedSource } = await import('./test/equipment/scripted-source.ts');
		const { RetryingChunkSource } = await import('./repository/retrying-chunk-source.ts');
		const { VerifiedChunks } = await import('./repository/verified-chunks.ts');
		const { systemClock } = await import('./system/clock.ts');
		const source = new ScriptedSource();
		const chunk = { ...(await source.add(0)), index: 0, receiver: { arrived() {}, damaged() {} } };
		const retrying = new RetryingChunkSource(source, systemClock);
		const fetcher = new ChunkFetcher(new VerifiedChunks(retrying));
		process.on('uncaughtException', error => {
			console.log(error.message, source.calls.length, String(retrying.trouble?.code));
			process.exit(3);
		});
		fetcher.want(chunk, () => { throw new Error('mistake'); });
		fetcher.want(chunk, () => console.log('second'));
		setTimeout(() => {}, 5000);`;
	const args = ['--input-type=module', '--eval', program];
	const cwd = new URL('../..', import.meta.url);
	const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
	assert.equal(stdout, 'second\nmistake 1 undefined\n', stderr);
	assert.equal(status, 3);
});

test('`ChunkFetcher.wantBehindReads` goes behind `want`, joins what is fetched, and is not dropped', async t => {
	const { source, want, ahead, fetcher, chunks } = await bench(t, 12);
	const came: number[] = [];
	const { promise, resolve } = Promise.withResolvers<void>();
	source.gate = promise;
	ahead(11);
	for (const chunk of chunks) fetcher.wantBehindReads(chunk, () => came.push(chunk.index));
	const reads = [want(9), want(2)];
	await waitFor('all calls that may be under way', () => source.calls.length === 3, { timeoutMs: 5_000 });
	resolve();
	await Promise.all(reads);
	await waitFor('all chunks', () => came.length === 12, { timeoutMs: 5_000 });
	assert.deepEqual(
		source.calls.map(call => call.chunks),
		[
			[9, 2],
			[0, 1, 3, 4, 5, 6, 7, 8],
			[10, 11],
		],
	);
	assert.equal(new Set(came).size, 12);
});

test('`ChunkFetcher.wantBehindReads` asks as `ahead`, and a read of what still waits for its turn asks by itself', async t => {
	const { source, want, fetcher, chunks, arrived } = await bench(t, 3);
	const came: number[] = [];
	const turn = Promise.withResolvers<void>();
	source.aheadGate = turn.promise;
	for (const chunk of chunks) fetcher.wantBehindReads(chunk, () => came.push(chunk.index));
	await waitFor('the request', () => source.classes.length === 1, { timeoutMs: 5_000 });
	await want(2);
	assert.deepEqual([source.classes, came], [['ahead', 'mount'], [2]]);
	turn.resolve();
	await waitFor('all chunks', () => came.length === 3, { timeoutMs: 5_000 });
	assert.deepEqual(
		[came, arrived],
		[
			[2, 0, 1],
			[2, 0, 1],
		],
		'each is told once',
	);
});

test('`ChunkFetcher.want` that failed when its chunk had come another way tells nobody twice, and hurts no later read', async t => {
	const { source, chunks } = await bench(t, 1);
	const [chunk = assert.fail()] = chunks;
	const fetcher = new ChunkFetcher(new VerifiedChunks(source));
	t.after(() => fetcher.close());
	const want = () => new Promise<unknown>(resolve => fetcher.want(chunk, resolve));
	const told: unknown[] = [];
	const turn = Promise.withResolvers<void>();
	const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
	source.aheadGate = turn.promise;
	fetcher.wantBehindReads(chunk, outcome => told.push(outcome));
	await waitFor('the request', () => source.calls.length === 1, { timeoutMs: 5_000 });
	source.gate = first.promise;
	const read = want();
	await waitFor('that of the read', () => source.calls.length === 2, { timeoutMs: 5_000 });
	turn.resolve();
	await read;
	source.gate = second.promise;
	const later = want();
	await waitFor('that of the later read', () => source.calls.length === 3, { timeoutMs: 5_000 });
	source.failures.push(new RouseError('store_unreachable', 'away'));
	first.resolve();
	await waitFor('the failure', () => source.failures.length === 0, { timeoutMs: 5_000 });
	second.resolve();
	assert.ok((await later) instanceof CachedChunk);
	assert.equal(told.length, 1);
});

test('`ChunkFetcher.want` of what is on its way behind other chunks waits for that', async t => {
	const { source, want, fetcher, chunks } = await bench(t, 3);
	const { promise, resolve } = Promise.withResolvers<void>();
	source.afterFirst = promise;
	await new Promise<void>(come => {
		for (const chunk of chunks) fetcher.wantBehindReads(chunk, () => come());
	});
	const read = want(2);
	resolve();
	await read;
	assert.deepEqual(source.classes, ['ahead']);
});
