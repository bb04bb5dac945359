import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { decodeJournal, type JournalObject, runHeadBytes } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import { beginJournal, type ImportJournal } from '../../repository/import/journal.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { HastyClock } from '../equipment/hasty-clock.ts';
import { collect } from '../equipment/repositories.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const chunkCounts = [10, 20];

function refOf(disk: number, chunk: number, pack = 0): ChunkRef {
	const digest = `${disk}`.padStart(2, '0') + `${chunk}`.padStart(62, '0');
	return { digest, packId: `${pack}`.padStart(32, '0'), offsetBytes: chunk * 100, storedBytes: 100 };
}

interface Begin {
	counts?: readonly number[];
}

async function begin(t: TestContext, store: MemoryStore, { counts = chunkCounts }: Begin = {}): Promise<ImportJournal> {
	const journal = await beginJournal(
		store,
		{ importId, moment: 'then', chunkCounts: counts, hasBase: true },
		{ clock: new HastyClock() },
	);
	t.after(() => journal.close());
	return journal;
}

async function objectsIn(store: MemoryStore, counts = chunkCounts): Promise<JournalObject[]> {
	const objects: JournalObject[] = [];
	for (const { key, sizeBytes } of await collect(store.list(keys.journals))) {
		const bytes = Buffer.alloc(sizeBytes);
		await store.read(key, 0, bytes);
		objects.push(
			decodeJournal(bytes, { importId, number: Number(key.slice(-10)), chunkCounts: counts, hasBase: true }),
		);
	}
	return objects;
}

test('`ImportJournal` tells what is as in the base, however much it is, in one run for each disk of that', async t => {
	const counts = [10, 2 ** 31, 5];
	const store = new MemoryStore();
	const journal = await begin(t, store, { counts });
	await journal.addBase(0, 2, 3, 0);
	await journal.addBase(0, 5, 1, 0);
	await journal.addBase(0, 6, 1, 1);
	await journal.endDisk(0);
	await journal.addBase(1, 0, 2 ** 31 - 1, 1);
	await journal.add(1, 2 ** 31 - 1, refOf(1, 1), true);
	await journal.addBase(2, 0, 5, 0);
	await journal.packStored(refOf(0, 0).packId);
	await journal.close();
	const [, told] = await objectsIn(store, counts);
	assert.deepEqual(
		told?.runs.map(({ disk, firstChunk, count, refs, baseDisk }) => [disk, firstChunk, count, refs?.length, baseDisk]),
		[
			[0, 0, 2, undefined, undefined],
			[0, 2, 4, undefined, 0],
			[0, 6, 1, undefined, 1],
			[0, 7, 3, undefined, undefined],
			[1, 0, 2 ** 31 - 1, undefined, 1],
			[1, 2 ** 31 - 1, 1, 56, undefined],
			[2, 0, 5, undefined, 0],
		],
	);
	const again = await begin(t, store, { counts });
	assert.deepEqual(await again.recall(0, 1), 'zero');
	assert.deepEqual(await again.recall(0, 5), { baseDisk: 0 });
	assert.equal(await again.nextReference(0, 6, 4), 10);
	assert.deepEqual(await again.recall(1, 2 ** 31 - 2), { baseDisk: 1 });
	assert.equal(await again.nextReference(1, 2 ** 31 - 2, 2), 2 ** 31 - 1);
	assert.deepEqual(await again.recall(1, 2 ** 31 - 1), refOf(1, 1));
	assert.equal(await again.nextReference(2, 0, 5), 5);
});

test('`ImportJournal.addBase` passes over what was told before the attempt, and tells the rest', async t => {
	const store = new MemoryStore();
	const first = await begin(t, store);
	await first.addBase(0, 0, 4, 0);
	await first.add(0, 4, refOf(0, 4), false);
	await first.packStored('a pack of another kind');
	await first.close();
	const second = await begin(t, store);
	await second.addBase(0, 0, 5, 2);
	await second.addBase(0, 3, 4, 2);
	await second.packStored('a pack of another kind');
	await second.close();
	assert.deepEqual((await objectsIn(store)).at(-1)?.runs, [
		{ disk: 0, firstChunk: 5, count: 2, refs: undefined, baseDisk: 2 },
	]);
	const third = await begin(t, store);
	assert.equal(await third.nextReference(0, 0, 10), 4);
	assert.deepEqual(await third.recall(0, 4), refOf(0, 4));
	assert.equal(await third.nextReference(0, 5, 5), 10);
});

test('`ImportJournal` counts runs without references that wait for a pack: there may be as many as the disk has chunks', async t => {
	const store = new MemoryStore();
	const journal = await begin(t, store);
	await journal.addBase(0, 0, 1, 0);
	assert.equal(journal.waitingBytes, 0);
	await journal.add(0, 1, refOf(0, 1), true);
	const before = journal.waitingBytes;
	for (const chunk of [3, 5, 7]) await journal.addBase(0, chunk, 1, 0);
	assert.equal(journal.waitingBytes, before + 6 * runHeadBytes);
	await journal.packStored(refOf(0, 1).packId);
	assert.equal(journal.waitingBytes, 0);
});

test('`ImportJournal` writes many runs without references before they fill the memory', async t => {
	const store = new MemoryStore();
	const counts = [2 ** 20];
	const journal = await begin(t, store, { counts });
	for (let chunk = 0; chunk < 100_000; chunk++) await journal.addBase(0, 2 * chunk, 1, 0);
	await journal.close();
	const objects = await objectsIn(store, counts);
	assert.equal(objects.length, 2);
	assert.ok((objects[1]?.runs.length ?? 0) > 170_000);
});
