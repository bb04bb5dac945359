import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { decodeJournal, encodeJournal, type JournalObject, runHeadBytes } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import { chunkRefBytes } from '../../repository/format/reference.ts';
import { beginJournal, type ImportJournal } from '../../repository/import/journal.ts';
import type { TellingOfChunk } from '../../repository/import/journal-reader.ts';
import { JournalQueue } from '../../repository/import/journal-queue.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import type { Clock } from '../../system/clock.ts';
import { HastyClock } from '../equipment/hasty-clock.ts';
import { collect, LosingStore } from '../equipment/repositories.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const chunkCounts = [10, 20];

function refOf(disk: number, chunk: number, pack = 0): ChunkRef {
	const digest = `${disk}`.padStart(2, '0') + `${chunk}`.padStart(62, '0');
	return { digest, packId: `${pack}`.padStart(32, '0'), offsetBytes: chunk * 100, storedBytes: 100 };
}

interface Begin {
	clock?: Clock;
	moment?: string | null;
	counts?: readonly number[];
}

async function begin(
	t: TestContext,
	store: MemoryStore,
	{ clock = new HastyClock(), moment = 'then', counts = chunkCounts }: Begin = {},
): Promise<ImportJournal> {
	const journal = await beginJournal(store, { importId, moment, chunkCounts: counts, hasBase: true }, { clock });
	t.after(() => journal.close());
	return journal;
}

async function objectsIn(store: MemoryStore, counts = chunkCounts, from = 0): Promise<JournalObject[]> {
	const objects: JournalObject[] = [];
	for (const { key, sizeBytes } of (await collect(store.list(keys.journals))).slice(from)) {
		const bytes = Buffer.alloc(sizeBytes);
		await store.read(key, 0, bytes);
		objects.push(
			decodeJournal(bytes, { importId, number: Number(key.slice(-10)), chunkCounts: counts, hasBase: true }),
		);
	}
	return objects;
}

/** What is told of each chunk up to the first of which nothing is. */
async function toldIn(journal: ImportJournal, counts: readonly number[]): Promise<TellingOfChunk[]> {
	const told: TellingOfChunk[] = [];
	for (const [disk, count] of counts.entries())
		for (let chunk = 0; chunk < count; chunk++) {
			const entry = await journal.recall(disk, chunk);
			if (entry === undefined) return told;
			told.push(entry);
		}
	return told;
}

test('`ImportJournal` tells the next attempt what was stored, whichever attempts died wherever', async t => {
	const anyAttempt = fc.record({ steps: fc.nat(60), chunksAPack: fc.integer({ min: 1, max: 9 }), late: fc.nat(2) });
	await fc.assert(
		fc.asyncProperty(
			fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 3 }),
			fc.array(fc.constantFrom('zero', 'base', 'known', 'new'), { minLength: 75, maxLength: 75 }),
			fc.array(anyAttempt, { minLength: 1, maxLength: 5 }),
			async (counts, kinds, attempts) => {
				const store = new MemoryStore();
				let toldBefore = 0;
				let pack = 0;
				for (const { steps, chunksAPack, late } of attempts) {
					const journal = await begin(t, store, { counts });
					const told = await toldIn(journal, counts);
					for (const [at, entry] of told.entries()) {
						if (entry === 'zero') assert.equal(kinds[at], 'zero');
						else if ('baseDisk' in entry) assert.deepEqual([kinds[at], entry], ['base', { baseDisk: 7 }]);
						else assert.equal(entry.digest, placed(counts, at, 0).digest);
					}
					assert.ok(told.length >= toldBefore, `${told.length} told after ${toldBefore}`);
					const openPacks: string[] = [];
					let stored = told.length;
					let at = told.length;
					for (; at < Math.min(told.length + steps, kinds.length); at++) {
						const ref = placed(counts, at, pack);
						const [disk, chunk] = spot(counts, at);
						if (disk >= counts.length) break;
						if (kinds[at] === 'base') await journal.addBase(disk, chunk, 1, 7);
						if (kinds[at] === 'known') await journal.add(disk, chunk, ref, false);
						if (kinds[at] === 'new') {
							if (!openPacks.includes(ref.packId)) openPacks.push(ref.packId);
							await journal.add(disk, chunk, ref, true);
						}
						if (chunk + 1 === counts[disk]) await journal.endDisk(disk);
						if (at % chunksAPack === 0) pack++;
						if (openPacks.length > late) {
							await journal.packStored(openPacks.shift() ?? '');
							if (openPacks.length === 0) stored = lastTold(kinds, told.length, at);
						}
					}
					toldBefore = Math.max(toldBefore, stored);
					await journal.close();
				}
			},
		),
		{ numRuns: 100 },
	);
});

/** Zeros behind the last chunk are told with the one that comes next. */
function lastTold(kinds: readonly string[], from: number, at: number): number {
	let last = at;
	while (last >= from && kinds[last] === 'zero') last--;
	return last + 1;
}

function spot(counts: readonly number[], at: number): [number, number] {
	let chunk = at;
	for (const [disk, count] of counts.entries()) {
		if (chunk < count) return [disk, chunk];
		chunk -= count;
	}
	return [counts.length, chunk];
}

function placed(counts: readonly number[], at: number, pack: number): ChunkRef {
	return refOf(...spot(counts, at), pack);
}

test('`ImportJournal` writes an object when all packs that it names are in the store, and not before', async t => {
	const store = new MemoryStore();
	const journal = await begin(t, store);
	await journal.add(0, 2, refOf(0, 2, 1), true);
	await journal.add(0, 3, refOf(0, 3), false);
	await journal.add(0, 4, refOf(0, 4, 2), true);
	await journal.add(0, 5, refOf(0, 5, 1), true);
	assert.equal(journal.waitingBytes, 3 * runHeadBytes + 4 * chunkRefBytes);
	await journal.packStored(refOf(0, 0, 2).packId);
	assert.equal((await objectsIn(store)).length, 1);
	await journal.packStored(refOf(0, 0, 1).packId);
	assert.equal(journal.waitingBytes, 0);
	const [first, second] = await objectsIn(store);
	assert.deepEqual(first?.runs, []);
	assert.deepEqual(
		second?.runs.map(({ disk, firstChunk, count, refs }) => [disk, firstChunk, count, refs === undefined]),
		[
			[0, 0, 2, true],
			[0, 2, 2, false],
			[0, 4, 2, false],
		],
	);
	await journal.close();
});

test('`ImportJournal` tells disks that are all zero, and the zero end of others', async t => {
	const store = new MemoryStore();
	const journal = await begin(t, store);
	await journal.add(0, 4, refOf(0, 4, 1), true);
	await journal.endDisk(0);
	await journal.endDisk(1);
	await journal.packStored(refOf(0, 4, 1).packId);
	await journal.close();
	const again = await begin(t, store);
	const told = await toldIn(again, chunkCounts);
	assert.equal(told.length, 30);
	assert.deepEqual(
		told.filter(entry => entry !== 'zero'),
		[refOf(0, 4, 1)],
	);
	await again.close();
	assert.deepEqual((await objectsIn(store)).at(-1)?.begins, { disk: 2, chunk: 0 });
});

test('`ImportJournal` of an attempt that another one has followed ends with `import_superseded`', async t => {
	const store = new MemoryStore();
	const first = await begin(t, store);
	await first.add(0, 0, refOf(0, 0, 1), true);
	const second = await begin(t, store);
	await assert.rejects(first.packStored(refOf(0, 0, 1).packId), { code: 'import_superseded', exitCode: 6 });
	assert.equal(first.ended.aborted, true);
	await assert.rejects(first.add(0, 1, refOf(0, 1), false), { code: 'import_superseded' });
	await second.add(0, 0, refOf(0, 0), false);
	await second.packStored('');
	assert.equal(second.ended.aborted, false);
	await Promise.all([first.close(), second.close()]);
});

test('`beginJournal` whose number is taken while it reads takes the next one, and goes on where that one began', async t => {
	class Racing extends MemoryStore {
		raced = false;
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			if (key === keys.journal(importId, 1) && !this.raced) {
				this.raced = true;
				const runs = [{ disk: 0, firstChunk: 0, count: 3, refs: undefined }];
				const other = { attempt: 'f'.repeat(32), begins: { disk: 0, chunk: 0 }, runs };
				await super.putExclusive(key, encodeJournal(other, { importId, number: 1 }));
			}
			return super.putExclusive(key, data);
		}
	}
	const store = new Racing();
	await (await begin(t, store)).close();
	const journal = await begin(t, store);
	assert.equal((await toldIn(journal, chunkCounts)).length, 3);
	assert.deepEqual(
		(await objectsIn(store)).map(({ begins }) => begins.chunk),
		[0, 0, 3],
	);
	await journal.close();
});

test('`ImportJournal` takes an object for its own whose answer was lost', async t => {
	class Forgetful extends MemoryStore {
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			await super.putExclusive(key, data);
			return false;
		}
	}
	const store = new Forgetful();
	const journal = await begin(t, store);
	await journal.add(0, 0, refOf(0, 0, 1), true);
	await journal.packStored(refOf(0, 0, 1).packId);
	await journal.close();
	assert.equal((await objectsIn(store)).length, 2);
});

test('`beginJournal` passes over what is damaged or missing, and goes on with what begins before that', async t => {
	const store = new LosingStore();
	const put = async (number: number, from: number, count: number) => {
		const runs = [{ disk: 0, firstChunk: from, count, refs: undefined }];
		const object = { attempt: 'f'.repeat(32), begins: { disk: 0, chunk: from }, runs };
		await store.putExclusive(keys.journal(importId, number), encodeJournal(object, { importId, number }));
	};
	await put(0, 0, 4);
	await put(1, 4, 2);
	await put(2, 6, 2);
	await store.flipByte(keys.journal(importId, 1), 70);
	const toldAfter = async () => {
		const journal = await begin(t, store);
		const told = await toldIn(journal, chunkCounts);
		await journal.close();
		assert.deepEqual((await objectsIn(store, chunkCounts, 2)).at(-1)?.begins, { disk: 0, chunk: told.length });
		return told.length;
	};
	assert.equal(await toldAfter(), 4);
	await put(5, 3, 5);
	assert.equal(await toldAfter(), 8);
	store.lost = keys.journal(importId, 5);
	const journal = await begin(t, store);
	assert.equal((await toldIn(journal, chunkCounts)).length, 4, 'on a bad sector');
	await journal.close();
	store.lost = undefined;
	await store.delete(keys.journal(importId, 0));
	assert.equal(await toldAfter(), 0);
});

test('`ImportJournal.recall` of what a later object has told otherwise is what that one says', async t => {
	const store = new MemoryStore();
	const first = await begin(t, store);
	for (const chunk of [0, 1, 2, 3]) await first.add(0, chunk, refOf(0, chunk), false);
	await first.packStored('');
	await first.close();
	const runs = [{ disk: 0, firstChunk: 2, count: 1, refs: undefined }];
	const anew = { attempt: 'f'.repeat(32), begins: { disk: 0, chunk: 2 }, runs };
	await store.putExclusive(keys.journal(importId, 2), encodeJournal(anew, { importId, number: 2 }));
	const journal = await begin(t, store);
	assert.deepEqual(await toldIn(journal, chunkCounts), [refOf(0, 0), refOf(0, 1), 'zero']);
	await journal.close();
});

/** Waits for something that other turns of the event loop bring. */
async function eventually(look: () => Promise<boolean>): Promise<void> {
	for (let turns = 0; turns < 10_000; turns++) {
		if (await look()) return;
		await setImmediate();
	}
	assert.fail('it did not come');
}

test('`ImportJournal` writes an object every two minutes, with what can be told, until it is closed', async t => {
	const store = new MemoryStore();
	const clock = new HastyClock();
	const journal = await begin(t, store, { clock });
	const countIs = (count: number) => async () => (await objectsIn(store)).length === count;
	clock.pass(2 * 60_000);
	await eventually(countIs(2));
	await journal.add(0, 0, refOf(0, 0), false);
	clock.pass(2 * 60_000);
	await eventually(countIs(3));
	assert.deepEqual(
		(await objectsIn(store)).map(({ runs }) => runs.length),
		[0, 0, 1],
	);
	await journal.close();
	clock.pass(10 * 60_000);
	await setImmediate();
	assert.equal((await objectsIn(store)).length, 3);
});

test('`ImportJournal.ended` tells of a beat that another attempt, or the store, has refused', async t => {
	class Leaving extends MemoryStore {
		gone = false;
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			if (this.gone) throw new RouseError('store_unreachable', 'gone');
			return super.putExclusive(key, data);
		}
	}
	const store = new Leaving();
	const clock = new HastyClock();
	const first = await begin(t, store, { clock });
	const second = await begin(t, store, { clock });
	clock.pass(2 * 60_000);
	await eventually(async () => first.ended.aborted);
	assert.equal(first.ended.reason.code, 'import_superseded');
	store.gone = true;
	clock.pass(2 * 60_000);
	await eventually(async () => second.ended.aborted);
	assert.equal(second.ended.reason.code, 'store_unreachable');
	await Promise.all([first.close(), second.close()]);
});

test('`ImportJournal` without a moment says that it lives, and nothing else', async t => {
	const store = new MemoryStore();
	const clock = new HastyClock();
	const journal = await begin(t, store, { clock, moment: null });
	await journal.add(0, 0, refOf(0, 0, 1), true);
	await journal.endDisk(0);
	assert.equal(journal.waitingBytes, 0);
	await journal.packStored(refOf(0, 0, 1).packId);
	clock.pass(2 * 60_000);
	await eventually(async () => (await objectsIn(store)).length === 2);
	assert.deepEqual(
		(await objectsIn(store)).flatMap(({ runs }) => runs),
		[],
	);
	assert.equal(await journal.recall(0, 0), undefined);
	await journal.close();
});

test('`ImportJournal` of chunks that were all known writes an object for each 65,536, and waits for no pack', async t => {
	const store = new MemoryStore();
	const counts = [200_000];
	const journal = await begin(t, store, { counts });
	for (let chunk = 0; chunk < 70_000; chunk++) await journal.add(0, chunk, refOf(0, chunk), false);
	assert.equal(journal.waitingBytes, 0);
	await journal.close();
	const lengths = (await objectsIn(store, counts)).map(({ runs }) => runs[0]?.count ?? 0);
	assert.deepEqual(lengths, [0, 65_536]);
});

test('`ImportJournal` behind 100,000 objects tells a mebibyte or more in each', async t => {
	const store = new MemoryStore();
	const counts = [200_000];
	const last = { attempt: 'f'.repeat(32), begins: { disk: 0, chunk: 0 }, runs: [] };
	const number = 100_000;
	await store.putExclusive(keys.journal(importId, number), encodeJournal(last, { importId, number }));
	const journal = await begin(t, store, { counts });
	for (let chunk = 0; chunk < 20_000; chunk++) {
		const ref = refOf(0, chunk, Math.floor(chunk / 1000));
		await journal.add(0, chunk, ref, true);
		if (chunk % 1000 === 999) await journal.packStored(ref.packId);
	}
	await journal.close();
	const lengths = (await objectsIn(store, counts)).map(({ runs }) => runs.reduce((sum, { count }) => sum + count, 0));
	assert.deepEqual(lengths, [0, 0, 19_000]);
});

test('`JournalQueue` gives out no object of more than 16 MiB, and all that it was given', () => {
	const queue = new JournalQueue([500_000], { disk: 0, chunk: 0 });
	const ref = refOf(0, 0);
	for (let chunk = 0; chunk < 450_000; chunk += 2) queue.add({ disk: 0, chunk }, ref, undefined);
	let next = 0;
	const sizes: number[] = [];
	for (let runs = queue.take(); runs.length > 0; runs = queue.take()) {
		for (const { firstChunk, count } of runs) {
			assert.equal(firstChunk, next);
			next += count;
		}
		const [first] = runs;
		const object = { attempt: 'f'.repeat(32), begins: { disk: 0, chunk: first?.firstChunk ?? 0 }, runs };
		sizes.push(encodeJournal(object, { importId, number: 0 }).length);
	}
	assert.equal(next, 449_999);
	assert.ok(Math.max(...sizes) <= 16 * 1024 * 1024 && Math.max(...sizes) > 16 * 1024 * 1024 - 200, sizes.join(' '));
});
