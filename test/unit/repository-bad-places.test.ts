import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { BadPlaces, readBadPlace } from '../../repository/bad-places.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { keys } from '../../repository/format/keys.ts';
import { ImportIndex } from '../../repository/index/import-index.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import type { Store } from '../../repository/store/contract.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { collect, DamagingStore, noise } from '../equipment/repositories.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';

const raws = [1, 2, 3, 4].map(seed => noise(4096, seed));

/** These four chunks in one pack of the store; each call makes another one. */
async function packed(store: Store): Promise<ChunkRef[]> {
	await store.putExclusive(keys.header, Buffer.from('stands for a repository'));
	const packs = new PackWriter(store, { kind: 'chunk', packBytes: 1e6 });
	const refs: ChunkRef[] = [];
	for (const raw of raws) {
		const { digest, stored } = await storedChunk(raw);
		refs.push({ digest, ...(await packs.append(digest, stored, raw.length)), storedBytes: stored.length });
	}
	await packs.flush();
	return refs;
}

const fetchOne = (store: Store, ref: ChunkRef) =>
	new VerifiedChunks(new DirectChunkSource(store)).fetchOne({ ref, rawBytes: 4096 }, { class: 'mount' });

const marksOf = async (store: Store) => (await collect(store.list(keys.badPlaces))).map(({ key }) => key);

async function damageChunk(store: DamagingStore, ref: ChunkRef): Promise<void> {
	await store.flipByte(keys.pack(ref.packId), ref.offsetBytes + 100);
}

async function damageFooter(store: DamagingStore, { packId }: ChunkRef): Promise<void> {
	await store.flipByte(keys.pack(packId), store.bytesOf(keys.pack(packId)).length - 1);
}

test('a place that is read twice and does not hold its chunk is marked, with what should lie there', async () => {
	const store = new DamagingStore();
	const [ref] = await packed(store);
	assert.ok(ref);
	await damageChunk(store, ref);
	await assert.rejects(fetchOne(store, ref), { code: 'chunk_bad' });
	const key = keys.badPlace(ref.packId, ref.offsetBytes);
	assert.deepEqual(await marksOf(store), [key]);
	const { reason, foundAt, hostname, ...place } = (await readBadPlace(store, key)) ?? assert.fail();
	assert.deepEqual(place, ref);
	assert.match(reason, new RegExp(ref.digest));
	assert.ok(Date.parse(foundAt) > 0 && hostname.length > 0);
});

test('a place whose pack has lost its footer as well, or ends before it, is marked by its reference', async () => {
	const store = new DamagingStore();
	const refs = await packed(store);
	const [, second, , last] = refs;
	assert.ok(second && last);
	const bytes = store.bytesOf(keys.pack(last.packId)).subarray(0, last.offsetBytes + 50);
	bytes.fill(0, second.offsetBytes + 60, second.offsetBytes + 70);
	await store.replace(keys.pack(last.packId), bytes);
	await assert.rejects(fetchOne(store, last), { code: 'chunk_missing' });
	await assert.rejects(fetchOne(store, second), { code: 'chunk_bad' });
	assert.deepEqual(
		await marksOf(store),
		[second, last].map(ref => keys.badPlace(ref.packId, ref.offsetBytes)).toSorted(),
	);
});

test('an old reference marks nothing: its pack is gone, or an intact footer names another chunk there', async () => {
	const store = new DamagingStore();
	const [first, second] = await packed(store);
	assert.ok(first && second);
	assert.deepEqual(await fetchOne(store, { ...first, offsetBytes: second.offsetBytes }), raws[0]);
	assert.deepEqual(await fetchOne(store, { ...first, packId: 'cd'.repeat(16) }), raws[0]);
	assert.deepEqual(await fetchOne(store, { ...first, offsetBytes: 1e9 }), raws[0]);
	assert.deepEqual(await marksOf(store), []);
});

test('a place that is wrong at the first look and right at the second is not marked, and is given', async () => {
	class Flickering extends DamagingStore {
		wrong = 0;
		override async read(key: string, offsetBytes: number, into: Uint8Array) {
			const filled = await super.read(key, offsetBytes, into);
			if (key.startsWith(keys.packs) && into.length === 4136 && this.wrong-- > 0) into.fill(0, 100, 110);
			return filled;
		}
	}
	const store = new Flickering();
	const [ref] = await packed(store);
	assert.ok(ref);
	store.wrong = 2; // as it is fetched, and when it is looked at first
	assert.deepEqual(await fetchOne(store, ref), raws[0]);
	assert.deepEqual(await marksOf(store), []);
});

test('a store that is gone as a whole marks nothing', async () => {
	class Gone extends DamagingStore {
		gone = false;
		override async read(key: string, offsetBytes: number, into: Uint8Array) {
			if (this.gone) throw new RouseError('io_failed', `${key}: EIO`);
			return super.read(key, offsetBytes, into);
		}
	}
	const store = new Gone();
	const [ref] = await packed(store);
	assert.ok(ref);
	store.gone = true;
	await assert.rejects(fetchOne(store, ref), { code: 'store_unreachable' });
	assert.deepEqual(await marksOf(store), []);
});

test('a mark that cannot be written keeps nobody from reading', async () => {
	class ReadOnly extends DamagingStore {
		override async putExclusive(key: string, data: Uint8Array) {
			if (key.startsWith(keys.badPlaces)) throw new RouseError('io_failed', `${key}: EROFS`);
			return super.putExclusive(key, data);
		}
	}
	const store = new ReadOnly();
	const [ref] = await packed(store);
	await packed(store);
	assert.ok(ref);
	await damageChunk(store, ref);
	assert.deepEqual(await fetchOne(store, ref), raws[0]);
	assert.deepEqual(await marksOf(store), []);
});

test('readers pass a marked place by, and come to it when nothing else has the chunk', async () => {
	class Watched extends DamagingStore {
		readonly packsRead = new Set<string>();
		override async read(key: string, offsetBytes: number, into: Uint8Array) {
			if (key.startsWith(keys.packs) && into.length === 4136) this.packsRead.add(key);
			return super.read(key, offsetBytes, into);
		}
	}
	const store = new Watched();
	const [ref, next] = await packed(store);
	assert.ok(ref && next);
	await new BadPlaces(store).mark(ref, 'by a test');
	// Nothing is wrong with it, and no footer names it.
	await damageFooter(store, ref);
	assert.deepEqual(await fetchOne(store, ref), raws[0]);
	store.packsRead.clear();
	const [copy] = await packed(store);
	assert.ok(copy);
	const source = new DirectChunkSource(store);
	const stored = await collect(source.fetch([next, ref, next], { class: 'mount' }));
	assert.equal(stored.length, 3);
	assert.deepEqual(await fetchOne(store, ref), raws[0]);
	assert.ok(store.packsRead.has(keys.pack(copy.packId)));
});

test('a chunk that is wrong wherever an index has it is found in a pack that no index has', async () => {
	const store = new DamagingStore();
	const [ref] = await packed(store);
	const [second] = await packed(store);
	assert.ok(ref && second);
	await ImportIndex.begin(store, { mayDelete: true });
	await damageChunk(store, ref);
	await damageChunk(store, second);
	await packed(store);
	assert.deepEqual(await fetchOne(store, ref), raws[0]);
	assert.equal((await marksOf(store)).length, 2);
});

test('`BadPlaces.load` takes marks by their keys, damaged ones too, and no other objects', async () => {
	const store = new DamagingStore();
	const [first, second] = await packed(store);
	assert.ok(first && second);
	await new BadPlaces(store).mark(second, 'by a test');
	await store.flipByte(keys.badPlace(second.packId, second.offsetBytes), 40);
	for (const key of ['bad/x', `bad/${first.packId}`, `bad/${first.packId}/01`, `bad/${first.packId}/-1`])
		await store.putExclusive(key, Buffer.from('x'));
	const places = await BadPlaces.load(store);
	assert.equal(places.count, 1);
	assert.ok(places.has(second) && !places.has(first));
	await assert.rejects(readBadPlace(store, keys.badPlace(second.packId, second.offsetBytes)), {
		code: 'format_damaged',
	});
});

test('`readBadPlace` of a mark under the key of another place is `format_damaged`', async () => {
	const store = new DamagingStore();
	const [first, second] = await packed(store);
	assert.ok(first && second);
	await new BadPlaces(store).mark(first, 'by a test');
	const other = keys.badPlace(second.packId, second.offsetBytes);
	await store.putExclusive(other, store.bytesOf(keys.badPlace(first.packId, first.offsetBytes)));
	await assert.rejects(readBadPlace(store, other), { code: 'format_damaged', message: /is the mark of pack/ });
});

test('`BadPlaces.clear` takes a mark away, unless a feature forbids to delete', async () => {
	const store = new DamagingStore();
	const [ref] = await packed(store);
	assert.ok(ref);
	const places = new BadPlaces(store);
	await places.mark(ref, 'by a test');
	await store.putExclusive('features/delete/x', Buffer.alloc(0));
	await assert.rejects(places.clear(ref), { code: 'repository_unsupported' });
	assert.ok(places.has(ref));
	await store.delete('features/delete/x');
	await places.clear(ref);
	assert.ok(!places.has(ref));
	assert.deepEqual(await marksOf(store), []);
});
