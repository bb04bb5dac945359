import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { keys } from '../../repository/format/keys.ts';
import { ImportIndex } from '../../repository/index/import-index.ts';
import { IndexDraft } from '../../repository/index/index-draft.ts';
import { ChunkTable } from '../../repository/index/chunk-table.ts';
import { footersOf, IndexedChunks } from '../../repository/index/indexed-chunks.ts';
import { type IndexedPlace, IndexReader } from '../../repository/index/index-reader.ts';
import { IndexSet } from '../../repository/index/index-set.ts';
import { listIndexes, maxIndexes } from '../../repository/index/list-indexes.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import type { Store } from '../../repository/store/contract.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { digestNumber, packNumber, putPack } from '../equipment/indexed-packs.ts';
import { collect } from '../equipment/repositories.ts';

const inMemory = 1024 * 1024;

/** Digests of a footer by small numbers, so that several packs have the same, some of them in one bucket. */
const footers = fc.array(fc.array(fc.nat(400), { minLength: 1, maxLength: 150 }), { minLength: 1, maxLength: 6 });

async function putPacks(store: Store, content: readonly (readonly number[])[]) {
	return Promise.all(content.map((numbers, pack) => putPack(store, packNumber(pack), numbers.map(digestNumber))));
}

async function writeOne(store: Store, content: readonly (readonly number[])[]): Promise<string> {
	const draft = new IndexDraft();
	for (const pack of await putPacks(store, content)) draft.add(pack);
	return draft.write(store, []);
}

async function openSet(store: Store, tablesBytes = inMemory): Promise<IndexSet> {
	const indexes = new IndexSet(store, tablesBytes);
	await indexes.refresh();
	return indexes;
}

function placesIn(content: readonly (readonly number[])[], wanted: number): Omit<IndexedPlace, 'packBytes'>[] {
	return content.flatMap((numbers, pack) =>
		numbers.flatMap((number, position) =>
			number === wanted ? [{ packId: packNumber(pack), offsetBytes: 41 * position, storedBytes: 41 }] : [],
		),
	);
}

function byPlace(a: Omit<IndexedPlace, 'packBytes'>, b: Omit<IndexedPlace, 'packBytes'>): number {
	return a.packId === b.packId ? a.offsetBytes - b.offsetBytes : a.packId < b.packId ? -1 : 1;
}

async function found(indexes: IndexSet, number: number): Promise<Omit<IndexedPlace, 'packBytes'>[]> {
	const places = await collect(indexes.find(Buffer.from(digestNumber(number), 'hex')));
	return places.map(({ packId, offsetBytes, storedBytes }) => ({ packId, offsetBytes, storedBytes })).toSorted(byPlace);
}

test('an index of any footers finds all places that they have, and nothing else, from memory and by ranges', async () => {
	await fc.assert(
		fc.asyncProperty(footers, fc.constantFrom('nothing', 'tables', 'prints'), async (content, kept) => {
			const store = new MemoryStore();
			await writeOne(store, content);
			const indexes = await openSet(store, kept === 'nothing' ? 0 : inMemory);
			if (kept === 'prints') for (const reader of indexes.live) await reader.keepPrints();
			for (let number = 0; number < 410; number += 1)
				assert.deepEqual(await found(indexes, number), placesIn(content, number).toSorted(byPlace));
		}),
		{ numRuns: 25 },
	);
});

test('an index in which chunks are looked for that it does not have is read once, and then hardly ever', async () => {
	const store = new MemoryStore();
	await writeOne(store, [Array.from({ length: 5000 }, (_, number) => number)]);
	const indexes = await openSet(store);
	const chunks = new IndexedChunks(indexes, footersOf(store));
	let reads = 0;
	const read = store.read.bind(store);
	store.read = (...call) => {
		reads += 1;
		return read(...call);
	};
	for (let number = 5000; number < 15_000; number += 1)
		assert.equal(await chunks.find(Buffer.from(digestNumber(number), 'hex'), () => true), undefined);
	// The filter alone would let a hundred and more come to a read.
	assert.ok(reads < 20, `${reads} reads`);
	assert.ok(indexes.live.every(({ keepsPrints }) => keepsPrints));
});

test('an index whose records do not match their digest is damaged, also when it is read for what it does not have', async () => {
	const store = new MemoryStore();
	const indexId = await writeOne(store, [Array.from({ length: 200 }, (_, number) => number)]);
	const bytes = Buffer.alloc((await store.size(keys.index(indexId))) ?? 0);
	await store.read(keys.index(indexId), 0, bytes);
	bytes[31] = (bytes[31] ?? 0) ^ 1;
	await store.delete(keys.index(indexId));
	await store.putExclusive(keys.index(indexId), bytes);
	const indexes = await openSet(store);
	const numbers = Array.from({ length: 5000 }, (_, number) => 1000 + number);
	for (const number of numbers) assert.deepEqual(await found(indexes, number), []);
	assert.deepEqual([...indexes.damaged.keys()], [indexId]);
});

test('of more indexes than anybody needs the largest are looked at, and the others counted', async () => {
	const store = new MemoryStore();
	for (let index = 0; index < 10; index += 1)
		await writeOne(store, [Array.from({ length: 1 + index }, (_, number) => number)]);
	const sizes = new Map<string, number>();
	for await (const { key, sizeBytes } of store.list(keys.indexes)) sizes.set(key.slice(keys.indexes.length), sizeBytes);
	const largest = [...sizes].toSorted(([, a], [, b]) => b - a).slice(0, 3);
	assert.deepEqual(await listIndexes(store, undefined, 3), { sizes: new Map(largest), leftOut: 7 });
	assert.deepEqual(await listIndexes(store), { sizes, leftOut: 0 });
	// Such as somebody makes who fills the folder.
	for (let index = 0; index < maxIndexes; index += 1)
		await store.putExclusive(keys.index(packNumber(index)), Buffer.alloc(0));
	const indexes = await openSet(store);
	assert.deepEqual([indexes.live.length, indexes.damaged.size, indexes.surplus], [10, maxIndexes - 10, 10]);
	assert.equal((await found(indexes, 9)).length, 1);
});

test('indexes that stand for very many others are damaged from a bound on: what they name is remembered', async () => {
	const store = new MemoryStore();
	const others = Array.from({ length: maxIndexes - 17 }, (_, index) => packNumber(index));
	for (const indexId of others) await store.putExclusive(keys.index(indexId), Buffer.alloc(0));
	const footer = await putPack(store, packNumber(0), [digestNumber(0)]);
	for (let index = 0; index < 17; index += 1) {
		const draft = new IndexDraft();
		draft.add(footer);
		await draft.write(store, others);
	}
	const { live, damaged, surplus } = await openSet(store);
	assert.deepEqual([live.length, surplus], [16, 0]);
	assert.deepEqual([...damaged.values()].filter(({ message }) => message.includes('it stands for')).length, 1);
});

test('a bucket with far more records than others is searched in bounded reads', async () => {
	const store = new MemoryStore();
	const longest = { bytes: 0 };
	let reads = 0;
	const read = store.read.bind(store);
	store.read = (key, offsetBytes, into, signal) => {
		longest.bytes = Math.max(longest.bytes, into.length);
		reads += 1;
		return read(key, offsetBytes, into, signal);
	};
	const digests = Array.from({ length: 20_000 }, (_, number) => `00000000${digestNumber(number).slice(8)}`);
	const draft = new IndexDraft();
	draft.add(await putPack(store, packNumber(0), digests));
	await draft.write(store, []);
	const indexes = await openSet(store, 0);
	longest.bytes = 0;
	reads = 0;
	for (const [position, digest] of digests.entries()) {
		if (position % 97 !== 0) continue;
		const places = await collect(indexes.find(Buffer.from(digest, 'hex')));
		assert.deepEqual(
			places.map(({ offsetBytes }) => offsetBytes),
			[41 * position],
		);
	}
	assert.ok(longest.bytes <= 8192, `${longest.bytes} bytes at once`);
	assert.ok(reads <= 207 * 14, `${reads} reads`);
});

test('flipped bits in an index never make a hit that no footer confirms: they are misses, or named', async () => {
	const content = [Array.from({ length: 150 }, (_, number) => number), [200, 201, 3, 4, 5]];
	const whole = new MemoryStore();
	const indexId = await writeOne(whole, content);
	const key = keys.index(indexId);
	const bytes = Buffer.alloc((await whole.size(key)) ?? 0);
	await whole.read(key, 0, bytes);
	const runs = fc.array(fc.nat(bytes.length * 8 - 1), { minLength: 1, maxLength: 8 });
	await fc.assert(
		fc.asyncProperty(runs, fc.boolean(), async (flips, fromMemory) => {
			const store = new MemoryStore();
			await putPacks(store, content);
			const flipped = Buffer.from(bytes);
			for (const flip of flips) flipped[flip >>> 3] = (flipped[flip >>> 3] ?? 0) ^ (1 << (flip & 7));
			await store.putExclusive(key, flipped);
			const indexes = await openSet(store, fromMemory ? inMemory : 0);
			const indexed = new IndexedChunks(indexes, footersOf(store));
			for (let number = 0; number < 210; number += 1) {
				const ref = await indexed.find(Buffer.from(digestNumber(number), 'hex'), () => true);
				if (ref === undefined) continue;
				const { digest, ...place } = ref;
				assert.equal(digest, digestNumber(number));
				assert.ok(placesIn(content, number).some(known => byPlace(known, place) === 0));
			}
		}),
		{ numRuns: 60 },
	);
});

test('an index that is cut off, too long, or under another name is damaged, and named', async () => {
	const whole = new MemoryStore();
	const indexId = await writeOne(whole, [[1, 2, 3]]);
	const bytes = Buffer.alloc((await whole.size(keys.index(indexId))) ?? 0);
	await whole.read(keys.index(indexId), 0, bytes);
	const other = packNumber(9);
	for (const [name, content] of [
		[indexId, bytes.subarray(0, -1)],
		[indexId, bytes.subarray(0, 100)],
		[indexId, Buffer.alloc(0)],
		[indexId, Buffer.concat([Buffer.alloc(1), bytes])],
		[other, bytes],
	] as const) {
		const store = new MemoryStore();
		await store.putExclusive(keys.index(name), content);
		const indexes = await openSet(store);
		assert.deepEqual([...indexes.damaged.keys()], [name]);
		assert.equal(indexes.damaged.get(name)?.code, 'format_damaged');
		assert.equal(indexes.live.length, 0);
	}
});

test('`ImportIndex.begin` makes indexes for packs that have none, once, and tells of footers that are damaged', async () => {
	const store = new MemoryStore();
	await putPacks(store, [[1, 2], [3]]);
	await store.putExclusive(keys.pack(packNumber(7)), Buffer.alloc(500));
	const first = await ImportIndex.begin(store, { mayDelete: true });
	assert.deepEqual(first.unreadablePacks, [packNumber(7)]);
	assert.ok(await first.indexed.find(Buffer.from(digestNumber(3), 'hex'), () => true));
	assert.equal((await collect(store.list(keys.indexes))).length, 1);
	await ImportIndex.begin(store, { mayDelete: true });
	assert.equal((await collect(store.list(keys.indexes))).length, 1);
});

test('`ImportIndex.begin` replaces an index that is damaged by one that supersedes it', async () => {
	const store = new MemoryStore();
	await putPacks(store, [[1, 2], [3]]);
	await store.putExclusive(keys.index(packNumber(5)), Buffer.alloc(300));
	const index = await ImportIndex.begin(store, { mayDelete: true });
	assert.deepEqual(index.damagedIndexes, [packNumber(5)]);
	const indexes = await openSet(store);
	assert.equal(indexes.damaged.size, 0);
	assert.equal(indexes.live.length, 1);
	assert.equal(await store.size(keys.index(packNumber(5))), undefined);
});

test('`IndexedChunks` tries all places until one is usable, and passes by what the footer does not confirm', async () => {
	const store = new MemoryStore();
	await writeOne(store, [
		[1, 2],
		[2, 1],
		[9, 1],
	]);
	await store.delete(keys.pack(packNumber(1)));
	const indexed = new IndexedChunks(await openSet(store), footersOf(store));
	const digest = Buffer.from(digestNumber(1), 'hex');
	const asked: string[] = [];
	const ref = await indexed.find(digest, ({ packId }) => {
		asked.push(packId);
		return packId === packNumber(2);
	});
	assert.equal(ref?.packId, packNumber(2));
	assert.equal(ref.offsetBytes, 41);
	assert.equal(await indexed.find(digest, ({ packId }) => packId === packNumber(1)), undefined);
	assert.equal(await indexed.confirms(ref), true);
	assert.equal(await indexed.confirms({ ...ref, offsetBytes: 0 }), false);
	assert.equal(await indexed.confirms({ ...ref, packId: packNumber(1) }), false);
});

test('`IndexedChunks` answers for the neighbours of a known chunk without an index', async () => {
	const store = new MemoryStore();
	const indexId = await writeOne(store, [Array.from({ length: 100 }, (_, number) => number)]);
	const indexed = new IndexedChunks(await openSet(store, 0), footersOf(store));
	assert.ok(await indexed.find(Buffer.from(digestNumber(1), 'hex'), () => true));
	await store.delete(keys.index(indexId));
	for (let number = 0; number < 100; number += 1)
		assert.ok(await indexed.find(Buffer.from(digestNumber(number), 'hex'), () => true));
});

test('`IndexReader` gives the bytes that its trailer promises, or `format_damaged` after the last record', async () => {
	const store = new MemoryStore();
	const indexId = await writeOne(store, [Array.from({ length: 100 }, (_, number) => number)]);
	const bytes = Buffer.alloc((await store.size(keys.index(indexId))) ?? 0);
	await store.read(keys.index(indexId), 0, bytes);
	bytes.writeUInt8(bytes.readUInt8(40) ^ 1, 40);
	await store.delete(keys.index(indexId));
	await store.putExclusive(keys.index(indexId), bytes);
	const reader = await IndexReader.open(store, { indexId, sizeBytes: bytes.length });
	await assert.rejects(collect(reader.allRecords()), { code: 'format_damaged' });
});

test('`ImportIndex.begin` makes the names of packs durable before an index tells of them', async () => {
	const store = new MemoryStore();
	await putPacks(store, [[1]]);
	const calls: string[] = [];
	const told = hookedStore(store, async (call, key) => {
		if (call === 'settle' || call === 'create') calls.push(`${call} ${key.split('/')[0]}`);
	});
	await ImportIndex.begin(told, { mayDelete: true });
	assert.deepEqual(calls, ['settle packs', 'create index']);
});

test('`ImportIndex.begin` lists indexes once more before it believes that a pack has none', async () => {
	const store = new MemoryStore();
	let made = false;
	const late = hookedStore(store, async (call, key) => {
		if (made || call !== 'list' || key !== keys.packs) return;
		made = true; // an import that ends between the two listings
		await writeOne(store, [[1, 2]]);
	});
	const { indexed } = await ImportIndex.begin(late, { mayDelete: true });
	assert.equal((await collect(store.list(keys.indexes))).length, 1);
	assert.ok(await indexed.find(Buffer.from(digestNumber(2), 'hex'), () => true));
});

/** Of seventy chunks, each of which is damage to look for where tables are not kept. */
async function writeFallingBuckets(store: Store): Promise<string> {
	const indexId = await writeOne(store, [Array.from({ length: 70 }, (_, number) => number)]);
	const bytes = Buffer.alloc((await store.size(keys.index(indexId))) ?? 0);
	await store.read(keys.index(indexId), 0, bytes);
	const bucketsAt = 70 * 44 + 20;
	bytes.writeUInt32LE(70, bucketsAt);
	bytes.writeUInt32LE(71, bucketsAt + 8);
	await store.delete(keys.index(indexId));
	await store.putExclusive(keys.index(indexId), bytes);
	return indexId;
}

test('buckets that fall are damage, named at the first look into them', async () => {
	const store = new MemoryStore();
	const indexId = await writeFallingBuckets(store);
	const indexes = await openSet(store, 0);
	for (let number = 0; number < 70; number += 1) assert.deepEqual(await found(indexes, number), []);
	assert.deepEqual([...indexes.damaged.keys()], [indexId]);
	assert.deepEqual([...(await openSet(store)).damaged.keys()], [indexId]);
});

test('damage that is found while indexes are listed again stays known', async () => {
	const store = new MemoryStore();
	const damaged = await writeFallingBuckets(store);
	let later = '';
	const hooked = hookedStore(store, async (call, key) => {
		if (call === 'read' && later !== '' && key === keys.index(later)) await found(indexes, 0);
	});
	const indexes = await openSet(hooked, 0);
	while (later < damaged) later = await writeOne(store, [[100]]);
	await indexes.refresh();
	assert.deepEqual([...indexes.damaged.keys()], [damaged]);
	assert.ok(indexes.live.every(({ indexId }) => indexId !== damaged));
});

test('an index that has one chunk at a thousand places of a pack costs one look at its footer', async () => {
	const store = new MemoryStore();
	const numbers = Array.from({ length: 1000 }, () => 1);
	await writeOne(store, [numbers]);
	await store.delete(keys.pack(packNumber(0)));
	await putPack(store, packNumber(0), numbers.map(digestNumber).fill(digestNumber(2)));
	let looks = 0;
	const read = footersOf(store);
	const indexed = new IndexedChunks(await openSet(store), (pack, signal) => {
		looks += 1;
		return read(pack, signal);
	});
	assert.equal(await indexed.find(Buffer.from(digestNumber(1), 'hex'), () => true), undefined);
	assert.equal(looks, 1);
});

test('`ChunkTable` finds digests that begin alike without comparing each with all others', t => {
	const compare = t.mock.method(Buffer.prototype, 'compare');
	const table = new ChunkTable();
	const digests = Array.from({ length: 300 }, (_, number) =>
		Buffer.from(`00000000${digestNumber(number).slice(8)}`, 'hex'),
	);
	for (const [offsetBytes, digest] of digests.entries())
		table.add(digest, { packId: packNumber(0), offsetBytes, storedBytes: 41 });
	for (const [offsetBytes, digest] of digests.entries()) assert.equal(table.find(digest)?.offsetBytes, offsetBytes);
	assert.ok(compare.mock.callCount() < 20 * digests.length, `${compare.mock.callCount()} comparisons`);
});
