import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { ChunkBuffers } from '../../movers/mount-mover/chunk-buffers.ts';
import { ChunkFetcher } from '../../movers/mount-mover/chunk-fetcher.ts';
import { DecodeThreads } from '../../movers/mount-mover/decode-threads.ts';
import type { RangeSource } from '../../repository/chunk-source.ts';
import { openChunk, type OpenedChunk } from '../../repository/format/chunk.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { waitFor } from '../../system/wait.ts';
import { noise } from '../equipment/repositories.ts';
import { ScriptedSource } from '../equipment/scripted-source.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const rawBytes = 128 * 1024;
const MiB = 1024 * 1024;

function threadsOf(t: TestContext, { entry, lateMs = 60_000 }: { entry?: URL; lateMs?: number } = {}) {
	const clock = { ms: 0, now: () => clock.ms };
	const threads = new DecodeThreads(new ChunkBuffers(), clock, { lateMs, ...(entry ? { entry } : {}) });
	t.after(() => threads.close());
	return { threads, clock };
}

async function chunksOf(count: number, bytesOf = (number: number) => noise(rawBytes, number + 1)) {
	const chunks = [];
	for (let number = 0; number < count; number++) {
		const bytes = bytesOf(number);
		const { digest, stored } = await storedChunk(bytes);
		const ref = { digest, packId: '0'.repeat(32), offsetBytes: number * 200_000, storedBytes: stored.length };
		chunks.push({ bytes, stored, ref });
	}
	return chunks;
}

async function openedOf(count: number) {
	const chunks = await chunksOf(count);
	return chunks.map(({ bytes, stored, ref }) => {
		const shared = Buffer.from(new SharedArrayBuffer(stored.length));
		stored.copy(shared);
		return { bytes, opened: openChunk(ref, shared, rawBytes) };
	});
}

/** What was made of each chunk; undefined when threads had too much to do. What is told beside it is the chunk as it is stored. */
async function decode(threads: DecodeThreads, chunks: readonly OpenedChunk[]) {
	const made: (Buffer | undefined)[] = [];
	const decoding = threads.decode(chunks, (number, whole, stored) => {
		assert.equal(made.length, number);
		assert.deepEqual(stored, chunks[number]?.stored);
		made.push(whole);
	});
	await decoding;
	return decoding && made;
}

test('`DecodeThreads.decode` gives the bytes of each chunk but of one with a bad frame', async t => {
	const { threads } = threadsOf(t);
	const chunks = await openedOf(3);
	const bad = chunks[1]?.opened.stored ?? assert.fail();
	bad.writeUInt8(bad.readUInt8(bad.length - 9) ^ 1, bad.length - 9);
	const decoded = await decode(
		threads,
		chunks.map(({ opened }) => opened),
	);
	assert.deepEqual(
		decoded?.map((buffer, number) => buffer?.subarray(0, rawBytes).equals(chunks[number]?.bytes ?? assert.fail())),
		[true, undefined, true],
	);
});

test('`DecodeThreads.decode` by threads that die gives nothing, and fails nothing', async t => {
	const { threads } = threadsOf(t, { entry: new URL('data:text/javascript,process.exit(3)') });
	const [first] = await openedOf(1);
	for (let time = 0; time < 5; time++)
		assert.deepEqual(await decode(threads, [first?.opened ?? assert.fail()]), [undefined]);
});

test('`DecodeThreads.decode` by a thread that comes to nothing gives nothing after a while', async t => {
	// It ends when it is told to stop.
	const program = `import { parentPort } from 'node:worker_threads';
		parentPort.on('message', ({ stop }) => typeof stop === 'number' && process.exit());`;
	const entry = new URL(`data:text/javascript,${encodeURIComponent(program)}`);
	const { threads } = threadsOf(t, { entry, lateMs: 10 });
	const [first] = await openedOf(1);
	assert.deepEqual(await decode(threads, [first?.opened ?? assert.fail()]), [undefined]);
});

test('`DecodeThreads.decode` has no more than 8 MiB under way', async t => {
	const { threads } = threadsOf(t);
	const [first] = await openedOf(1);
	const opened = first?.opened ?? assert.fail();
	const many = decode(
		threads,
		Array.from({ length: 64 }, () => opened),
	);
	assert.equal(await decode(threads, [opened]), undefined);
	assert.equal((await many)?.length, 64);
	assert.equal((await decode(threads, [opened]))?.length, 1);
});

test('`DecodeThreads.decode` has no more memory for jobs than for eight, while threads have them all', async t => {
	const program = `import { parentPort } from 'node:worker_threads';
		parentPort.on('message', ({ stop }) => typeof stop === 'number' && process.exit());`;
	const { threads } = threadsOf(t, {
		entry: new URL(`data:text/javascript,${encodeURIComponent(program)}`),
		lateMs: 10,
	});
	const [first] = await openedOf(1);
	const jobs = Array.from({ length: 9 }, () => decode(threads, [first?.opened ?? assert.fail()]));
	const made = await Promise.all(jobs);
	assert.deepEqual(
		made.map(one => one?.length),
		[1, 1, 1, 1, 1, 1, 1, 1, undefined],
	);
});

test('`DecodeThreads.decode` goes on after `letGo`, with fresh memory for jobs', async t => {
	const { threads } = threadsOf(t);
	const [first] = await openedOf(1);
	const opened = first?.opened ?? assert.fail();
	await Promise.all(Array.from({ length: 8 }, () => decode(threads, [opened])));
	threads.letGo();
	assert.equal((await decode(threads, [opened]))?.length, 1);
});

test('`DecodeThreads.areWorthwhile` for more than 32 MiB in a second, and no longer than that comes', async t => {
	const { threads, clock } = threadsOf(t);
	for (let second = 0; second < 60; second++, clock.ms += 1_000) threads.note(30 * MiB);
	assert.equal(threads.areWorthwhile, false);
	threads.note(33 * MiB);
	assert.equal(threads.areWorthwhile, true);
	clock.ms += 1_000;
	threads.note(1 * MiB);
	assert.equal(threads.areWorthwhile, true);
	clock.ms += 1_000;
	threads.note(1 * MiB);
	assert.equal(threads.areWorthwhile, false);
	threads.note(33 * MiB);
	clock.ms += 2_000;
	assert.equal(threads.areWorthwhile, false);
	assert.equal(threads.threads, 0, 'nothing was decoded');
});

/** A fetcher whose source has what it is asked for in one range, and whose threads are worth while. */
async function bench(t: TestContext, count = 12, bytesOf?: (number: number) => Buffer) {
	const { threads } = threadsOf(t);
	threads.note(64 * MiB);
	const chunks = await chunksOf(count, bytesOf);
	const source: Pick<RangeSource, 'ranges'> = {
		async *ranges(refs) {
			const asked = refs.map(({ digest }) => chunks.find(({ ref }) => ref.digest === digest)?.stored ?? assert.fail());
			yield { refs, lengths: asked.map(({ length }) => length), bytes: Buffer.concat(asked) };
		},
	};
	const slow = new ScriptedSource();
	const fetcher = new ChunkFetcher(new VerifiedChunks(slow), { open: source, threads });
	t.after(() => fetcher.close());
	const receiver = { arrived: () => {}, damaged: () => assert.fail() };
	const wanted = chunks.map(({ ref, bytes }, index) => ({
		key: index,
		index,
		ref,
		rawBytes: bytes.length,
		receiver,
	}));
	return { threads, fetcher, wanted, chunks, slow };
}

/** Of a chunk that was told with all of its frames. */
function decodedBytes(chunk: Parameters<Parameters<ChunkFetcher['want']>[1]>[0]): Buffer {
	if (chunk instanceof RouseError) throw chunk;
	assert.equal(chunk.undecoded(0, rawBytes), 0);
	const bytes = Buffer.alloc(rawBytes);
	chunk.copy(bytes, 0, 0, rawBytes);
	return bytes;
}

test('`ChunkFetcher.want` of many chunks has them from threads, decoded', async t => {
	const { fetcher, wanted, chunks, slow } = await bench(t);
	let told = 0;
	for (const want of wanted)
		fetcher.want(want, chunk => {
			assert.ok(decodedBytes(chunk).equals(chunks[want.index]?.bytes ?? assert.fail()));
			told += 1;
		});
	await waitFor('all', () => told === wanted.length, { timeoutMs: 20_000 });
	assert.deepEqual(slow.calls, []);
});

test('`ChunkFetcher.want` of more chunks than threads have room for has all of them decoded', async t => {
	const { fetcher, wanted, chunks, slow } = await bench(t, 96);
	let right = 0;
	for (const want of wanted)
		fetcher.want(want, chunk => {
			if (decodedBytes(chunk).equals(chunks[want.index]?.bytes ?? assert.fail())) right += 1;
		});
	await waitFor('all', () => right === wanted.length, { timeoutMs: 20_000 });
	assert.deepEqual(slow.calls, []);
});

test('`ChunkFetcher.want` of long chunks has threads decode each by itself, and as many as may be under way', async t => {
	const { fetcher, wanted } = await bench(t, 8, number => Buffer.alloc(4 * MiB, `chunk ${number} `));
	const decoded: boolean[] = [];
	for (const want of wanted)
		fetcher.want(want, chunk => {
			if (chunk instanceof RouseError) throw chunk;
			decoded.push(chunk.undecoded(0, 4 * MiB) === 0);
		});
	await waitFor('all', () => decoded.length === wanted.length, { timeoutMs: 20_000 });
	assert.equal(decoded.filter(Boolean).length, 2, '8 MiB');
});

test('`ChunkFetcher.want` that is called off while a thread decodes tells nobody, nor does one after `close`', async t => {
	const { fetcher, wanted, threads } = await bench(t);
	const told: number[] = [];
	const callOffs = wanted.map(want => fetcher.want(want, () => told.push(want.index)));
	await waitFor('a thread', () => threads.threads > 0, { timeoutMs: 20_000 });
	callOffs[3]?.();
	await waitFor('the others', () => told.length === wanted.length - 1, { timeoutMs: 20_000 });
	assert.ok(!told.includes(3));
	let closed = false;
	for (const want of wanted) fetcher.want(want, () => closed && told.push(-1)); // a thread may be done before
	await setImmediate();
	fetcher.close();
	closed = true;
	await threads.close();
	assert.ok(!told.includes(-1));
});
