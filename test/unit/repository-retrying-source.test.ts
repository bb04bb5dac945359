import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import type { ChunkClass, ChunkSource, StoredChunk } from '../../repository/chunk-source.ts';
import { RetryingChunkSource } from '../../repository/retrying-chunk-source.ts';
import { collect } from '../equipment/repositories.ts';
import { TestClock } from '../equipment/test-clock.ts';

const refs: ChunkRef[] = Array.from({ length: 5 }, (_, offsetBytes) => ({
	digest: 'ab'.repeat(32),
	packId: 'cd'.repeat(16),
	offsetBytes,
	storedBytes: 1,
}));
const away = () => new RouseError('store_unreachable', 'away');

/** Of each call: how many chunks it yields and what it fails with then; later calls yield all. */
type Answer = { chunks: number; failure?: Error };

class FailingSource implements ChunkSource {
	readonly calls: { from: number; class: ChunkClass; locate: boolean | undefined }[] = [];
	readonly #answers: Answer[];
	closed = false;

	constructor(answers: Answer[]) {
		this.#answers = answers;
	}

	async *fetch(
		asked: readonly ChunkRef[],
		options: { class: ChunkClass; locate?: boolean; signal?: AbortSignal | undefined },
	): AsyncGenerator<StoredChunk> {
		this.calls.push({ from: asked[0]?.offsetBytes ?? -1, class: options.class, locate: options.locate });
		options.signal?.throwIfAborted();
		const { chunks, failure } = this.#answers.shift() ?? { chunks: asked.length };
		for (const ref of asked.slice(0, chunks)) yield { ref, stored: Buffer.from([ref.offsetBytes]) };
		if (failure) throw failure;
	}

	async close(): Promise<void> {
		this.closed = true;
	}
}

function bench(...answers: Answer[]) {
	const source = new FailingSource(answers);
	const clock = new TestClock();
	return { source, clock, retrying: new RetryingChunkSource(source, clock) };
}

test('`RetryingChunkSource.fetch` goes on at the first chunk that was not yielded: each comes once, in order', async () => {
	const { source, retrying } = bench({ chunks: 2, failure: away() }, { chunks: 0, failure: away() }, { chunks: 1 });
	const fetched = await collect(retrying.fetch(refs, { class: 'migration', locate: true }));
	assert.deepEqual(
		fetched.map(({ ref, stored }) => [ref.offsetBytes, stored[0]]),
		refs.map(({ offsetBytes }) => [offsetBytes, offsetBytes]),
	);
	assert.deepEqual(
		source.calls,
		[0, 2, 2, 3].map(from => ({ from, class: 'migration', locate: true })),
	);
});

test('`RetryingChunkSource.fetch` waits 50 ms, doubled up to 2 s, and 50 ms again after a chunk', async () => {
	const silent = { chunks: 0, failure: away() };
	const { clock, retrying } = bench(...Array.from({ length: 8 }, () => silent), { chunks: 1, failure: away() });
	await collect(retrying.fetch(refs, { class: 'mount' }));
	assert.deepEqual(clock.delays, [50, 100, 200, 400, 800, 1600, 2000, 2000, 50]);
});

test('`RetryingChunkSource.fetch` waits for whatever is no damage, also a mistake', async () => {
	const failures = [new RouseError('internal', 'mistake'), new RouseError('repository_missing', 'no'), new Error('so')];
	const { source, retrying } = bench(...failures.map(failure => ({ chunks: 0, failure })));
	assert.equal((await collect(retrying.fetch(refs, { class: 'mount' }))).length, refs.length);
	assert.equal(source.calls.length, failures.length + 1);
});

test('`RetryingChunkSource.fetch` throws damage at once, after the chunks before it', async () => {
	for (const code of ['chunk_bad', 'chunk_missing', 'format_damaged'] as const) {
		const { clock, retrying } = bench({ chunks: 3, failure: new RouseError(code, 'damage') });
		const given: number[] = [];
		const fetching = async () => {
			for await (const { ref } of retrying.fetch(refs, { class: 'mount' })) given.push(ref.offsetBytes);
		};
		await assert.rejects(fetching(), { code });
		assert.deepEqual(given, [0, 1, 2]);
		assert.deepEqual(clock.delays, []);
		assert.equal(retrying.trouble, undefined);
	}
});

test('`RetryingChunkSource.trouble` says why there is nothing while it waits, and is over with the next chunk', async () => {
	const source = new FailingSource([{ chunks: 1, failure: away() }, { chunks: 1 }]);
	const waited: unknown[] = [];
	const clock = { delay: async () => void waited.push(retrying.trouble?.code) };
	const retrying: RetryingChunkSource = new RetryingChunkSource(source, clock);
	const told: unknown[] = [];
	for await (const _ of retrying.fetch(refs, { class: 'mount' })) told.push(retrying.trouble?.code);
	assert.deepEqual(waited, ['store_unreachable', 'protocol']);
	assert.deepEqual(
		told,
		refs.map(() => undefined),
	);
});

test('`RetryingChunkSource.trouble` is over with damage too, which is an answer', async () => {
	const damage = new RouseError('chunk_bad', 'damage');
	const { retrying } = bench({ chunks: 0, failure: away() }, { chunks: 0, failure: damage });
	await assert.rejects(collect(retrying.fetch(refs, { class: 'migration' })), { code: 'chunk_bad' });
	assert.equal(retrying.trouble, undefined);
});

/** A clock whose waits end only with their signal, and a promise of the first. */
function standingClock() {
	const { promise: waiting, resolve } = Promise.withResolvers<void>();
	const delay = (_ms: number, signal?: AbortSignal) =>
		new Promise<void>((_resolve, reject) => {
			signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
			resolve();
		});
	return { clock: { delay }, waiting };
}

test("`RetryingChunkSource.fetch` that is aborted while it waits ends with the signal's reason", async () => {
	const { clock, waiting } = standingClock();
	const source = new FailingSource([{ chunks: 0, failure: away() }]);
	const retrying = new RetryingChunkSource(source, clock);
	const abort = new AbortController();
	const fetching = collect(retrying.fetch(refs, { class: 'mount', signal: abort.signal }));
	await waiting;
	abort.abort(new Error('enough'));
	await assert.rejects(fetching, { message: 'enough' });
	assert.equal(source.calls.length, 1);
});

test('`RetryingChunkSource.trouble` does not tell of a failure that an abort has caused', async () => {
	const abort = new AbortController();
	const source = new FailingSource([{ chunks: 1, failure: away() }]);
	const retrying = new RetryingChunkSource(source, new TestClock());
	const fetching = async () => {
		for await (const _ of retrying.fetch(refs, { class: 'mount', signal: abort.signal }))
			abort.abort(new Error('enough'));
	};
	await assert.rejects(fetching(), { message: 'enough' });
	assert.equal(retrying.trouble, undefined);
	assert.equal(source.calls.length, 1);
});

test('`RetryingChunkSource.close` ends waits and every later fetch, and closes the source', async () => {
	const { clock, waiting } = standingClock();
	const source = new FailingSource([{ chunks: 0, failure: away() }]);
	const retrying = new RetryingChunkSource(source, clock);
	const { signal } = new AbortController();
	const fetching = collect(retrying.fetch(refs, { class: 'mount', signal }));
	await waiting;
	await retrying.close();
	await assert.rejects(fetching, { code: 'interrupted' });
	await assert.rejects(collect(retrying.fetch(refs, { class: 'mount' })), { code: 'interrupted' });
	assert.equal(source.closed, true);
});

test('`RetryingChunkSource.once` reads within a call only where its source can', () => {
	const ranges = () => assert.fail();
	const network = Object.assign(new FailingSource([]), { ranges });
	const local = Object.assign(new FailingSource([]), { ranges, readNow: () => true });
	const onceOf = (source: ChunkSource) => new RetryingChunkSource(source, new TestClock()).once;
	assert.equal(onceOf(network)?.readNow, undefined);
	assert.equal(onceOf(local)?.readNow?.(refs[0] ?? assert.fail(), Buffer.alloc(1)), true);
	assert.equal(onceOf(new FailingSource([])), undefined);
});
