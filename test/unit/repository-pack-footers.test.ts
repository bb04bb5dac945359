import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { decodePackEnd, encodePackEnd, footerBytesOf, packTrailerBytes } from '../../repository/format/pack.ts';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { IndexDraft } from '../../repository/index/index-draft.ts';
import { allPackFooters, PackFooters } from '../../repository/pack-footers.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { systemClock } from '../../system/clock.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { digestNumber, packNumber, putPack } from '../equipment/indexed-packs.ts';
import { collect } from '../equipment/repositories.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const packIds = ['a', 'b', 'c'].map(digit => digit.repeat(32));

/** The first pack answers after all others have failed. */
class LaterFailsFirst extends MemoryStore {
	override async read(key: string, offsetBytes: number, into: Uint8Array): Promise<number | undefined> {
		if (key !== keys.pack(packIds[0] ?? '')) throw new RouseError('store_unreachable', `${key}: EIO`);
		for (let turn = 0; turn < 5; turn++) await setImmediate();
		return super.read(key, offsetBytes, into);
	}
}

const digest = 'ab'.repeat(32);

/** A pack with one chunk of so many stored bytes, which nobody looks at. */
function packOf(packId: string, storedBytes: number): Buffer {
	const chunks = [{ digest, offsetBytes: 0, storedBytes }];
	const end = encodePackEnd({ packId, kind: 'chunk', rawBytes: 1, chunks, dataDigest: Buffer.alloc(32) });
	return Buffer.concat([Buffer.alloc(storedBytes), end]);
}

test('`allPackFooters` with a footer that fails while an earlier one is waited for throws it, and ends no process', async () => {
	const store = new LaterFailsFirst();
	for (const packId of packIds) await store.putExclusive(keys.pack(packId), packOf(packId, 100));
	// A rejection that nobody looks at would fail this test as well: it ends the process.
	await assert.rejects(collect(allPackFooters(store, () => {})), { code: 'store_unreachable' });
});

test('`decodePackEnd` with a chunk larger or smaller than chunks are is `format_damaged`, though its checksum holds', () => {
	const packId = '1'.repeat(32);
	const most = 16 * 1024 * 1024 + 4 + 36 * 1024;
	const decode = (storedBytes: number) => {
		const pack = packOf(packId, storedBytes);
		return decodePackEnd(pack.subarray(storedBytes), packId, pack.length);
	};
	assert.equal(decode(most).chunks.length, 1);
	assert.throws(() => decode(most + 1), { code: 'format_damaged' });
	assert.equal(decode(41).chunks.length, 1);
	assert.throws(() => decode(40), { code: 'format_damaged' });
});

test('`footerBytesOf` refuses a footer that is longer than any may be, whatever the pack could hold', () => {
	const packId = '1'.repeat(32);
	const most = 40 + 65_536 * 36;
	const announcing = (footerBytes: number) => {
		const trailer = packOf(packId, 100).subarray(-packTrailerBytes);
		trailer.writeUInt32LE(footerBytes, 8);
		return () => footerBytesOf(trailer, packId, 0xffff_ffff);
	};
	assert.equal(announcing(most)(), most);
	assert.throws(announcing(most + 36), { code: 'format_damaged', message: /2359372 bytes, at most 2359336/ });
});

test('`PackWriter` closes a pack at the number of chunks that a footer may have', async () => {
	const store = new MemoryStore();
	const writer = new PackWriter(store, { kind: 'chunk', packBytes: 64 * 1024 * 1024 });
	const { stored } = await storedChunk(Buffer.of(1));
	for (let count = 0; count < 65_537; count++) await writer.append(digest, stored, 1);
	await writer.flush();
	const footers = await collect(allPackFooters(store, ({ error }) => assert.fail(error)));
	assert.deepEqual(footers.map(({ chunks }) => chunks.length).toSorted(), [1, 65_536]);
});

test('`PackFooters.locate` asks the indexes before all footers, and these when no index knows', async () => {
	const store = new MemoryStore();
	const draft = new IndexDraft();
	for (let pack = 0; pack < 40; pack += 1) draft.add(await putPack(store, packNumber(pack), [digestNumber(pack)]));
	await draft.write(store, []);
	await putPack(store, packNumber(50), [digestNumber(50)]);
	const asked = new Set<string>();
	const hooked = hookedStore(store, async (call, key) => {
		if (call === 'read' && key.startsWith(keys.packs)) asked.add(key);
	});
	const ref = (wanted: string) => ({ digest: wanted, packId: packNumber(99), offsetBytes: 0, storedBytes: 41 });
	const locate = async (number: number, everywhere: boolean | 'indexed') => {
		asked.clear();
		const wanted = digestNumber(number);
		const places = (await new PackFooters(hooked, systemClock).locate([ref(wanted)], { everywhere })).get(wanted);
		return { packIds: places?.map(place => place.ref.packId), footers: asked.size };
	};
	assert.deepEqual(await locate(7, false), { packIds: [packNumber(7)], footers: 1 });
	assert.deepEqual(await locate(7, 'indexed'), { packIds: [packNumber(7)], footers: 1 });
	assert.deepEqual(await locate(7, true), { packIds: [packNumber(7)], footers: 41 });
	assert.deepEqual((await locate(50, false)).packIds, [packNumber(50)]);
	assert.deepEqual((await locate(50, 'indexed')).packIds, [packNumber(50)]);
	assert.deepEqual(await locate(60, false), { packIds: [], footers: 41 });
});

test('`PackFooters.locate` asks all footers where the indexes cannot be listed', async () => {
	const store = new MemoryStore();
	await putPack(store, packNumber(1), [digest]);
	const hooked = hookedStore(store, async (call, key) => {
		if (call === 'list' && key === keys.indexes) throw new RouseError('format_damaged', 'a symbolic link');
	});
	const ref = { digest, packId: packNumber(2), offsetBytes: 0, storedBytes: 41 };
	const located = await new PackFooters(hooked, systemClock).locate([ref], { everywhere: false });
	assert.deepEqual(
		located.get(digest)?.map(place => place.ref.packId),
		[packNumber(1)],
	);
});

/** Ten packs without an index, and how often all of them are listed, which waits for `holdUp`. */
async function packsWithoutIndex() {
	const store = new MemoryStore();
	for (let pack = 0; pack < 10; pack += 1) await putPack(store, packNumber(pack), [digestNumber(pack)]);
	const passes = { count: 0, askedIndexes: 0, holdUp: async () => {} };
	const hooked = hookedStore(store, async (call, key) => {
		if (call === 'list' && key === keys.indexes) passes.askedIndexes += 1;
		if (call !== 'list' || key !== keys.packs) return;
		passes.count += 1;
		await passes.holdUp();
	});
	return { footers: new PackFooters(hooked, systemClock), passes };
}

function lost(number: number) {
	return { digest: digestNumber(number), packId: packNumber(99), offsetBytes: 0, storedBytes: 41 };
}

test('many readers of one lost chunk share one pass over all footers, and those of many lost chunks two', async () => {
	for (const everywhere of [false, true])
		for (const oneChunk of [true, false]) {
			const { footers, passes } = await packsWithoutIndex();
			passes.holdUp = async () => {
				while (passes.askedIndexes < 50) await setImmediate();
				await setImmediate();
			};
			const numbers = Array.from({ length: 50 }, (_, reader) => (oneChunk ? 60 : reader));
			const located = numbers.map(number => footers.locate([lost(number)], { everywhere }));
			for (const [reader, found] of (await Promise.all(located)).entries())
				assert.deepEqual(
					found.get(digestNumber(numbers[reader] ?? 0))?.map(({ ref }) => ref.packId),
					!oneChunk && reader < 10 ? [packNumber(reader)] : [],
				);
			assert.equal(passes.count, oneChunk ? 1 : 2);
		}
});

test('a reader that gives up ends no pass that others wait for; the last one does, and who comes then has another', async () => {
	const { footers, passes } = await packsWithoutIndex();
	const { promise, resolve } = Promise.withResolvers<void>();
	passes.holdUp = () => promise;
	const [leaving, last] = [new AbortController(), new AbortController()];
	const given = footers.locate([lost(60)], { everywhere: true, signal: leaving.signal });
	const waiting = footers.locate([lost(60)], { everywhere: true });
	leaving.abort(new RouseError('interrupted', 'given up'));
	await assert.rejects(given, { message: 'given up' });
	resolve();
	assert.deepEqual((await waiting).get(digestNumber(60)), []);
	assert.equal(passes.count, 1);
	const held = Promise.withResolvers<void>();
	passes.holdUp = () => held.promise;
	const alone = footers.locate([lost(61)], { everywhere: true, signal: last.signal });
	for (let turn = 0; turn < 5; turn++) await setImmediate();
	last.abort(new RouseError('interrupted', 'given up too'));
	await assert.rejects(alone, { message: 'given up too' });
	const after = footers.locate([lost(3)], { everywhere: true });
	held.resolve();
	assert.deepEqual(
		(await after).get(digestNumber(3))?.map(({ ref }) => ref.packId),
		[packNumber(3)],
	);
});
