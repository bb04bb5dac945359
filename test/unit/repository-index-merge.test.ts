import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { digestOf } from '../../repository/format/digest.ts';
import {
	decodeIndexTrailer,
	encodeIndexTrailer,
	indexLayout,
	type IndexLayout,
} from '../../repository/format/index-object.ts';
import { keys } from '../../repository/format/keys.ts';
import { ImportIndex } from '../../repository/index/import-index.ts';
import { IndexDraft } from '../../repository/index/index-draft.ts';
import { IndexSet } from '../../repository/index/index-set.ts';
import { mergeIndexes } from '../../repository/index/merge-indexes.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import type { Store } from '../../repository/store/contract.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { digestNumber, packNumber, putPack } from '../equipment/indexed-packs.ts';
import { collect } from '../equipment/repositories.ts';

const all = { maxRecords: 1_000_000 };
const mayDelete = true;

/** One index a list of packs, in which chunks are numbers. */
async function writeIndexes(store: Store, indexes: readonly (readonly (readonly number[])[])[]): Promise<void> {
	let pack = 0;
	for (const packs of indexes) {
		const draft = new IndexDraft();
		for (const numbers of packs) draft.add(await putPack(store, packNumber(pack++), numbers.map(digestNumber)));
		await draft.write(store, []);
	}
}

/** Sixteen indexes, each of one pack with three chunks; each of these is in three packs. */
async function sixteen(store: Store): Promise<void> {
	await writeIndexes(
		store,
		Array.from({ length: 16 }, (_, first) => [[first, first + 1, first + 2]]),
	);
}

async function openSet(store: Store, tablesBytes = 1024 * 1024): Promise<IndexSet> {
	const indexes = new IndexSet(store, tablesBytes);
	await indexes.refresh();
	return indexes;
}

async function contentOf(indexes: IndexSet, numbers: number): Promise<Map<number, string[]>> {
	const content = new Map<number, string[]>();
	for (let number = 0; number < numbers; number += 1) {
		const places = await collect(indexes.find(Buffer.from(digestNumber(number), 'hex')));
		const texts = places.map(place => `${place.packId} ${place.packBytes} ${place.offsetBytes} ${place.storedBytes}`);
		content.set(number, [...new Set(texts)].toSorted());
	}
	return content;
}

async function indexKeys(store: Store): Promise<string[]> {
	return (await collect(store.list(keys.indexes))).map(({ key }) => key);
}

test('four merged are their union, each record once, and only the new one is left', async () => {
	const lists = fc.array(fc.array(fc.nat(60), { minLength: 4, maxLength: 7 }), { minLength: 1, maxLength: 2 });
	const sets = fc.array(lists, { minLength: 4, maxLength: 4 });
	await fc.assert(
		fc.asyncProperty(sets, async content => {
			const store = new MemoryStore();
			await writeIndexes(store, content);
			const before = await openSet(store);
			const expected = await contentOf(before, 62);
			assert.equal(await mergeIndexes(store, before, all), true);
			assert.equal((await indexKeys(store)).length, 1);
			const after = await openSet(store);
			assert.deepEqual(await contentOf(after, 62), expected);
			const records = content.flat(2).length;
			assert.equal(after.live[0]?.trailer.records, records);
			assert.equal(after.live[0].trailer.packs, content.flat().length);
		}),
		{ numRuns: 6 },
	);
});

test('two indexes of the same packs are one when they are merged', async () => {
	const store = new MemoryStore();
	const pack = await putPack(store, packNumber(0), [1, 2, 3].map(digestNumber));
	for (let copy = 0; copy < 16; copy += 1) {
		const draft = new IndexDraft();
		draft.add(pack);
		await draft.write(store, []);
	}
	const indexes = await openSet(store);
	await mergeIndexes(store, indexes, all);
	assert.deepEqual(
		indexes.live.map(({ trailer }) => trailer.records),
		[3],
	);
});

test('three are not merged, nor four of different size, nor more records than are allowed', async () => {
	const ofSize = (records: number) => [Array.from({ length: records }, (_, number) => number)];
	for (const [sizes, maxRecords, left] of [
		[[3, 3, 3], 1000, 3],
		[[3, 3, 3, 4], 1000, 4],
		[[3, 3, 3, 3], 11, 4],
		[[3, 3, 3, 3], 12, 1],
		[[3, 3, 3, 3, 3], 1000, 2],
	] as const) {
		const store = new MemoryStore();
		await writeIndexes(store, sizes.map(ofSize));
		await mergeIndexes(store, await openSet(store), { maxRecords });
		assert.equal((await indexKeys(store)).length, left, `${sizes.length} of ${sizes[0]}`);
	}
});

test('`ImportIndex` merges and deletes nothing when a feature forbids to delete', async () => {
	const store = new MemoryStore();
	await sixteen(store);
	const index = await ImportIndex.begin(store, { mayDelete: false });
	await index.write([await putPack(store, packNumber(99), [digestNumber(99)])]);
	await index.mergeLarge();
	assert.equal((await indexKeys(store)).length, 17);
	await (await ImportIndex.begin(store, { mayDelete })).mergeLarge();
	assert.equal((await indexKeys(store)).length, 2);
});

class Killed extends Error {}

/** Calls after which something may be another way than before. */
const changes = new Set(['create', 'finish', 'settle', 'delete']);

/** Does `work` again and again on copies of a store, ended before each of its changes in turn. */
async function killedEverywhere(
	make: (store: Store) => Promise<void>,
	work: (store: Store) => Promise<void>,
	check: (store: MemoryStore) => Promise<void>,
): Promise<number> {
	for (let calls = 0; ; calls += 1) {
		const store = new MemoryStore();
		await make(store);
		let left = calls;
		const mortal = hookedStore(store, async call => {
			if (changes.has(call) && left-- <= 0) throw new Killed();
		});
		const ended = await work(mortal).then(
			() => true,
			(error: unknown) => {
				assert.ok(error instanceof Killed, String(error));
				return false;
			},
		);
		await check(store);
		if (ended) return calls;
	}
}

test('a merge that ends between any two steps loses nothing, and the next one finishes it', {
	timeout: 60_000,
}, async () => {
	const whole = new MemoryStore();
	await sixteen(whole);
	const expected = await contentOf(await openSet(whole), 20);
	const calls = await killedEverywhere(
		sixteen,
		async store => {
			await mergeIndexes(store, await openSet(store), all);
		},
		async store => {
			const left = await openSet(store);
			assert.deepEqual(await contentOf(left, 20), expected);
			assert.equal((16 - left.live.length) % 3, 0, 'what is superseded counts as deleted');
			await mergeIndexes(store, await openSet(store), all);
			assert.equal((await indexKeys(store)).length, 1);
			assert.deepEqual(await contentOf(await openSet(store), 20), expected);
		},
	);
	assert.ok(calls > 15, `${calls} changes`);
});

test('an import that ends anywhere while it makes indexes leaves packs that the next one finds', async () => {
	const make = async (store: Store) => {
		await sixteen(store);
		for (let pack = 20; pack < 24; pack += 1) await putPack(store, packNumber(pack), [digestNumber(100 + pack)]);
	};
	await killedEverywhere(
		make,
		async store => {
			const index = await ImportIndex.begin(store, { mayDelete });
			await index.write([await putPack(store, packNumber(30), [digestNumber(130)])]);
			await index.mergeLarge();
		},
		async store => {
			const { indexed } = await ImportIndex.begin(store, { mayDelete });
			const stored = (await store.size(keys.pack(packNumber(30)))) === undefined ? [] : [130];
			for (const number of [0, 17, 120, 121, 122, 123, ...stored])
				assert.ok(await indexed.find(Buffer.from(digestNumber(number), 'hex'), () => true), `chunk ${number}`);
		},
	);
});

test('two merges at once, and a reader of the indexes meanwhile: nothing is missed at any moment', {
	timeout: 120_000,
}, async () => {
	await fc.assert(
		fc.asyncProperty(fc.scheduler(), async scheduler => {
			const store = new MemoryStore();
			await sixteen(store);
			const inTurn = (calls: readonly string[]) =>
				hookedStore(store, async call => {
					if (calls.includes(call)) await scheduler.schedule(Promise.resolve(), call);
				});
			const merge = async () => {
				const mine = inTurn(['list', 'create', 'finish', 'delete']);
				await mergeIndexes(mine, await openSet(mine, 0), all);
			};
			const read = async () => {
				const indexes = await openSet(inTurn(['list', 'read']), 0);
				for (const number of [0, 3, 9, 17])
					assert.notEqual((await collect(indexes.find(Buffer.from(digestNumber(number), 'hex')))).length, 0);
			};
			await scheduler.waitFor(Promise.all([merge(), merge(), read(), read()]));
			const indexes = await openSet(store);
			assert.equal((await contentOf(indexes, 20)).get(9)?.length, 3);
			await mergeIndexes(store, indexes, all);
			// At most three of each size.
			assert.ok((await indexKeys(store)).length <= 9);
		}),
		{ numRuns: 6 },
	);
});

test('an index whose records are damaged is found by the merge, and made anew from the footers', async () => {
	const store = new MemoryStore();
	await sixteen(store);
	const key = (await indexKeys(store))[7] ?? '';
	const bytes = Buffer.alloc((await store.size(key)) ?? 0);
	await store.read(key, 0, bytes);
	bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
	await store.delete(key);
	await store.putExclusive(key, bytes);
	const index = await ImportIndex.begin(store, { mayDelete });
	await index.mergeLarge();
	assert.deepEqual(index.damagedIndexes, [key.slice(keys.indexes.length)]);
	assert.equal((await indexKeys(store)).length, 1);
	const indexes = await openSet(store);
	assert.equal(indexes.live[0]?.trailer.records, 48);
});

test('indexes that are merged between their listing and the look into them are listed again', async () => {
	for (const tablesBytes of [0, 1024 * 1024]) {
		const store = new MemoryStore();
		await sixteen(store);
		let reads = 0;
		const hooked = hookedStore(store, async call => {
			if (call === 'read' && ++reads === 20) await mergeIndexes(store, await openSet(store), all);
		});
		const indexes = await openSet(hooked, tablesBytes);
		assert.equal((await contentOf(indexes, 20)).get(9)?.length, 3);
		assert.equal(indexes.live.length, 1);
	}
});

/** Changes what lies between records and trailer. With `sealed` the digests hold then: another wrote it so. */
async function changeTables(
	store: Store,
	indexId: string,
	change: (bytes: Buffer, layout: IndexLayout) => void,
	{ sealed }: { sealed: boolean },
): Promise<void> {
	const key = keys.index(indexId);
	const bytes = Buffer.alloc((await store.size(key)) ?? 0);
	await store.read(key, 0, bytes);
	const trailer = decodeIndexTrailer(bytes.subarray(-144), indexId, bytes.length);
	const layout = indexLayout(trailer);
	change(bytes, layout);
	const tablesDigest = digestOf(bytes.subarray(layout.packsAt, layout.trailerAt));
	if (sealed) encodeIndexTrailer({ ...trailer, tablesDigest }).copy(bytes, layout.trailerAt);
	await store.delete(key);
	await store.putExclusive(key, bytes);
}

test('what an index stood for that turns out to be damaged counts again', async () => {
	for (const tablesBytes of [0, 1024 * 1024]) {
		const store = new MemoryStore();
		await sixteen(store);
		const expected = await contentOf(await openSet(store), 20);
		const draft = new IndexDraft();
		draft.add(await putPack(store, packNumber(0), [0, 1, 2].map(digestNumber)));
		const superseded = (await indexKeys(store)).map(key => key.slice(keys.indexes.length));
		const damaged = await draft.write(store, superseded);
		const buckets = (bytes: Buffer, { bucketsAt }: IndexLayout) => bytes.writeUInt32LE(9, bucketsAt);
		await changeTables(store, damaged, buckets, { sealed: false });
		const indexes = await openSet(store, tablesBytes);
		assert.deepEqual(await contentOf(indexes, 20), expected);
		assert.deepEqual([...indexes.damaged.keys()], [damaged]);
		assert.deepEqual(indexes.leftOver, []);
	}
});

test('two indexes that stand for each other both count', async () => {
	const store = new MemoryStore();
	const one = new IndexDraft();
	one.add(await putPack(store, packNumber(1), [digestNumber(1)]));
	const first = await one.write(store, ['0'.repeat(32)]);
	const two = new IndexDraft();
	two.add(await putPack(store, packNumber(2), [digestNumber(2)]));
	const second = await two.write(store, [first]);
	const stand = (bytes: Buffer, { supersededAt }: IndexLayout) => bytes.write(second, supersededAt, 16, 'hex');
	await changeTables(store, first, stand, { sealed: true });
	const indexes = await openSet(store);
	assert.equal(indexes.live.length, 2);
	assert.deepEqual(indexes.leftOver, []);
});

test('an index with a pack of which it has no record is damage to a merge, and its packs get another', async () => {
	const store = new MemoryStore();
	for (let copy = 0; copy < 16; copy += 1) {
		const draft = new IndexDraft();
		draft.add(await putPack(store, packNumber(0), [digestNumber(0)]));
		draft.add(await putPack(store, packNumber(1), [digestNumber(1)]));
		await draft.write(store, []);
	}
	const hollow = (await indexKeys(store))[5]?.slice(keys.indexes.length) ?? '';
	const [key, number] = [keys.index(hollow), 32];
	const bytes = Buffer.alloc((await store.size(key)) ?? 0);
	await store.read(key, 0, bytes);
	bytes.writeUInt32LE(bytes.readUInt32LE(number), 44 + number);
	const trailer = decodeIndexTrailer(bytes.subarray(-144), hollow, bytes.length);
	encodeIndexTrailer({ ...trailer, recordsDigest: digestOf(bytes.subarray(0, 88)) }).copy(bytes, bytes.length - 144);
	await store.delete(key);
	await store.putExclusive(key, bytes);
	const indexes = await openSet(store);
	assert.equal(await mergeIndexes(store, indexes, all), false);
	assert.deepEqual([...indexes.damaged.keys()], [hollow]);
});
