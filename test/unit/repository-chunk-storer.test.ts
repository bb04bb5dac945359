import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../repository/format/digest.ts';
import { ChunkStorer, type KnownChunks, type WantedChunk } from '../../repository/import/chunk-storer.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { noise } from '../equipment/repositories.ts';

/** What stands first in the base takes long to come. */
function bench() {
	const first = Promise.withResolvers<undefined>();
	const known: KnownChunks = {
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
	return { storer, first };
}

test('`ChunkStorer` stores a chunk once whose equal, further on, was the first to be looked up', async () => {
	const { storer, first } = bench();
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

test('`ChunkStorer.prepareAll` of two segments with chunks in common: the earlier one waits for the later, which waits for nothing of it', async () => {
	const { storer, first } = bench();
	const [onlyEarlier, both, onlyLater] = [1, 2, 3].map(seed => noise(50_000, seed));
	assert.ok(onlyEarlier && both && onlyLater);
	const segment = (number: number, chunks: readonly Buffer[]) =>
		chunks.map((raw, at): WantedChunk & { raw: Buffer } => ({
			digest: digestOf(raw),
			rawBytes: raw.length,
			position: { disk: 0, height: 0, number: number + at },
			raw,
		}));
	const asked: number[][] = [];
	const prepare = (wanted: readonly (WantedChunk & { raw: Buffer })[]) =>
		storer.prepareAll(wanted, async fresh => {
			asked.push(fresh.map(({ position }) => position.number));
			return wanted.filter(chunk => fresh.includes(chunk)).map(({ raw }) => raw);
		});
	const earlier = prepare(segment(0, [onlyEarlier, both, both]));
	const later = await prepare(segment(8, [both, onlyLater]));
	assert.deepEqual(asked, [[8, 9]], 'it is ready while the earlier one has not been looked up yet');
	first.resolve(undefined);
	const refs = [];
	for (const chunk of [...(await earlier), ...later]) refs.push(await storer.store(chunk));
	assert.deepEqual(asked, [[8, 9], [0]]);
	assert.deepEqual(
		refs.map(({ digest }) => digest),
		[onlyEarlier, both, both, both, onlyLater].map(raw => digestOf(raw).toString('hex')),
	);
	assert.equal(new Set(refs.map(({ offsetBytes }) => offsetBytes)).size, 3);
	assert.equal(storer.newBytes, 150_000);
	await storer.flush();
});
