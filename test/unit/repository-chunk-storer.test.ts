import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChunkStorer, type KnownChunks } from '../../repository/import/chunk-storer.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { noise } from '../equipment/repositories.ts';

test('`ChunkStorer` stores a chunk once whose equal, further on, was the first to be looked up', async () => {
	const first = Promise.withResolvers<undefined>();
	const known: KnownChunks = {
		// A page of the base that takes long to come.
		inBase: (_digest, { number }) => (number === 0 ? first.promise : Promise.resolve(undefined)),
		anywhere: async () => undefined,
	};
	const storer = new ChunkStorer(new MemoryStore(), {
		kind: 'chunk',
		frameSizeBytes: 64 * 1024,
		packBytes: 1 << 20,
		known,
		writeIndex: async () => {},
	});
	const raw = noise(100_000, 1);
	const earlier = storer.prepare(raw, { disk: 0, height: 0, number: 0 });
	const later = storer.prepare(raw, { disk: 0, height: 0, number: 9 });
	await Promise.resolve(); // the later one is registered, and not compressed yet
	first.resolve(undefined);
	const ref = await storer.store(await earlier);
	assert.deepEqual(await storer.store(await later), ref);
	assert.equal(storer.newBytes, raw.length);
	await storer.flush();
});
