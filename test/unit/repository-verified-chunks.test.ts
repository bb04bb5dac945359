import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import type { ChunkSource } from '../../repository/chunk-source.ts';
import { type FetchedChunk, VerifiedChunks, type WantedChunk } from '../../repository/verified-chunks.ts';
import { collect } from '../equipment/repositories.ts';
import { ScriptedSource } from '../equipment/scripted-source.ts';

interface Numbered extends WantedChunk {
	key: number;
	bytes: Buffer;
}

async function bench(count: number) {
	const source = new ScriptedSource();
	const wanted = await Promise.all(Array.from({ length: count }, (_, number) => source.add(number)));
	const chunks = new VerifiedChunks(source);
	const fetch = () => collect(chunks.fetch(wanted, { class: 'mount' }));
	return { source, wanted, chunks, fetch };
}

/** `0 1 bad:2`: what came of which chunk; bytes that are not the right ones are named. */
function told(fetched: readonly FetchedChunk<Numbered>[]): string {
	return fetched
		.map(({ wanted: { key, bytes: right }, bytes, damage }) => {
			if (damage) return `${damage.code}:${key}`;
			return bytes.equals(right) ? String(key) : `wrong:${key}`;
		})
		.join(' ');
}

/** A source that answers as the test says. */
function sourceOf(fetch: ChunkSource['fetch']): ChunkSource {
	return { fetch, close: async () => {} };
}

test('`VerifiedChunks.fetch` gives the bytes and what is stored, in the order asked for, with one request', async () => {
	const { source, fetch } = await bench(3);
	const fetched = await fetch();
	assert.equal(told(fetched), '0 1 2');
	assert.ok(fetched.every(({ stored }) => stored && stored.length > 0));
	assert.deepEqual(source.calls, [{ chunks: [0, 1, 2], locate: false }]);
});

test('`VerifiedChunks.fetch` asks for another place, once, when bytes do not match, and for what follows again', async () => {
	const { source, fetch } = await bench(4);
	source.misplaced.add(1);
	source.misplaced.add(2);
	assert.equal(told(await fetch()), '0 1 2 3');
	assert.deepEqual(source.calls, [
		{ chunks: [0, 1, 2, 3], locate: false },
		{ chunks: [1], locate: true },
		{ chunks: [2, 3], locate: false },
		{ chunks: [2], locate: true },
		{ chunks: [3], locate: false },
	]);
});

test('`VerifiedChunks.fetch` gives damage in the place of a chunk that is wrong everywhere, and all others', async () => {
	const { source, wanted, fetch } = await bench(4);
	source.damaged.add(0);
	source.damaged.add(3);
	const fetched = await fetch();
	assert.equal(told(fetched), 'chunk_bad:0 1 2 chunk_bad:3');
	const { digest, packId, offsetBytes, storedBytes } = wanted[3]?.ref ?? assert.fail();
	assert.deepEqual(fetched[3]?.damage?.details, { digest, packId, offsetBytes, storedBytes });
	assert.deepEqual(
		source.calls.map(({ chunks, locate }) => `${locate ? 'locate ' : ''}${chunks.join()}`),
		['0,1,2,3', 'locate 0', '1,2,3', 'locate 3'],
	);
});

test('`VerifiedChunks.fetch` does not ask again where a chunk is that no pack has', async () => {
	const { source, fetch } = await bench(2);
	source.failures.push(new RouseError('chunk_missing', 'in no pack'));
	assert.equal(told(await fetch()), 'chunk_missing:0 1');
	assert.deepEqual(source.calls, [
		{ chunks: [0, 1], locate: false },
		{ chunks: [1], locate: false },
	]);
});

test('`VerifiedChunks.fetch` looks for another place of a chunk that the medium has lost in its own', async () => {
	const { source, fetch } = await bench(2);
	source.failures.push(new RouseError('chunk_bad', 'EIO'));
	assert.equal(told(await fetch()), '0 1');
	source.failures.push(new RouseError('chunk_bad', 'EIO'), new RouseError('chunk_bad', 'EIO there as well'));
	assert.equal(told(await fetch()), 'chunk_bad:0 1');
});

test('`VerifiedChunks.fetch` throws what is no damage of a chunk, also when it looks for another place', async () => {
	const { source, fetch } = await bench(2);
	source.failures.push(new RouseError('store_unreachable', 'away'));
	await assert.rejects(fetch(), { code: 'store_unreachable' });
	source.failures.push(new RouseError('chunk_bad', 'EIO'), new RouseError('store_unreachable', 'away'));
	await assert.rejects(fetch(), { code: 'store_unreachable' });
});

test('`VerifiedChunks.fetch` of a source that answers less or more than it was asked is `protocol`, after what was right', async () => {
	const { source, wanted } = await bench(2);
	const given: number[] = [];
	const fetchWith = async (fetch: ChunkSource['fetch']) => {
		given.length = 0;
		for await (const chunk of new VerifiedChunks(sourceOf(fetch)).fetch(wanted, { class: 'mount' }))
			given.push(chunk.wanted.key);
	};
	const less = fetchWith((refs, options) => source.fetch(refs.slice(0, -1), options));
	await assert.rejects(less, { code: 'protocol' });
	assert.deepEqual(given, [0]);
	const more = fetchWith((refs, options) => source.fetch([...refs, ...refs], options));
	await assert.rejects(more, { code: 'protocol' });
	assert.deepEqual(given, [0, 1]);
	source.misplaced.add(0);
	const elsewhere = fetchWith((refs, options) => source.fetch(options.locate ? [...refs, ...refs] : refs, options));
	await assert.rejects(elsewhere, { code: 'protocol' });
	assert.deepEqual(given, [0]);
});

test("`VerifiedChunks.fetch` hands on its caller's class and signal, also when it looks for another place", async () => {
	const { source, wanted } = await bench(1);
	source.misplaced.add(0);
	const { signal } = new AbortController();
	const seen: unknown[] = [];
	const chunks = new VerifiedChunks(
		sourceOf((refs, options) => {
			seen.push(options);
			return source.fetch(refs, options);
		}),
	);
	await collect(chunks.fetch(wanted, { class: 'migration', signal }));
	assert.deepEqual(seen, [
		{ class: 'migration', signal, locate: false },
		{ class: 'migration', signal, locate: true },
	]);
});

test('`VerifiedChunks.fetch` that is left early leaves the answer of the source', async () => {
	const { source, wanted } = await bench(3);
	let left = false;
	const chunks = new VerifiedChunks(
		sourceOf(async function* (refs, options) {
			try {
				yield* source.fetch(refs, options);
			} finally {
				left = true;
			}
		}),
	);
	for await (const chunk of chunks.fetch(wanted, { class: 'mount' })) if (chunk.wanted.key === 1) break;
	assert.equal(left, true);
});

test('`VerifiedChunks.fetchOne` gives the bytes, reads the answer to its end, and throws damage', async () => {
	const { source, wanted, chunks } = await bench(1);
	const [one] = wanted;
	assert.ok(one);
	let ended = 0;
	const counting = new VerifiedChunks(
		sourceOf(async function* (refs, options) {
			yield* source.fetch(refs, options);
			ended += 1;
		}),
	);
	assert.ok((await counting.fetchOne(one, { class: 'mount' })).equals(one.bytes));
	assert.equal(ended, 1);
	source.damaged.add(0);
	await assert.rejects(chunks.fetchOne(one, { class: 'mount' }), { code: 'chunk_bad' });
});
