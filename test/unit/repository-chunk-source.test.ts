import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ChunkRef } from '../../model/chunk.ts';
import { RouseError } from '../../model/errors.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { decodeChunk } from '../../repository/format/chunk.ts';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { DamagingStore, noise } from '../equipment/repositories.ts';
import { storedChunk } from '../equipment/stored-chunk.ts';
import { TestClock } from '../equipment/test-clock.ts';

interface Stored {
	ref: ChunkRef;
	raw: Buffer;
}

/** A store with these chunks in packs of some 40 KB. */
async function storeWith(
	raws: readonly Buffer[],
	store = new DamagingStore(),
): Promise<{ store: DamagingStore; chunks: Stored[] }> {
	await store.putExclusive(keys.header, Buffer.from('stands for a repository'));
	const packs = new PackWriter(store, { kind: 'chunk', packBytes: 40_000 });
	const chunks: Stored[] = [];
	for (const raw of raws) {
		const { digest, stored } = await storedChunk(raw);
		const place = await packs.append(digest, stored, raw.length);
		chunks.push({ ref: { digest, ...place, storedBytes: stored.length }, raw });
	}
	await packs.flush();
	return { store, chunks };
}

function fetchOne(source: DirectChunkSource, ref: ChunkRef): Promise<Buffer> {
	return new VerifiedChunks(source).fetchOne({ ref, rawBytes: 4096 }, options);
}

/** Each chunk's bytes, or its damage, by its position. */
function fetchMany(source: DirectChunkSource, refs: readonly ChunkRef[]) {
	const wanted = refs.map((ref, position) => ({ position, ref, rawBytes: 4096 }));
	return new VerifiedChunks(source).fetch(wanted, options);
}

const many = Array.from({ length: 40 }, (_, seed) => noise(4096, seed + 1));
const options = { class: 'mount' } as const;

async function fetchAll(source: DirectChunkSource, chunks: readonly Stored[], more = {}): Promise<Buffer[]> {
	const bytes: Buffer[] = [];
	const refs = chunks.map(({ ref }) => ref);
	for await (const { ref, stored } of source.fetch(refs, { ...options, ...more }))
		bytes.push(decodeChunk(ref, stored, chunks[bytes.length]?.raw.length ?? 0));
	return bytes;
}

test('`DirectChunkSource.fetch` gives chunks in the order asked for, repeats included', async () => {
	const { store, chunks } = await storeWith(many);
	const source = new DirectChunkSource(store);
	await fc.assert(
		fc.asyncProperty(fc.array(fc.constantFrom(...chunks), { maxLength: 60 }), async wanted => {
			assert.deepEqual(
				await fetchAll(source, wanted),
				wanted.map(({ raw }) => raw),
			);
		}),
		{ numRuns: 50 },
	);
});

test('`DirectChunkSource.fetch` reads neighbours in a pack with one call', async () => {
	class LargeReads extends DamagingStore {
		override readonly properties = { maxParallelReads: 2, readBytes: 1024 * 1024 };
	}
	const { store, chunks } = await storeWith(many, new LargeReads());
	const packs = new Set(chunks.map(({ ref }) => ref.packId));
	store.readCalls = 0;
	await fetchAll(new DirectChunkSource(store), chunks);
	assert.equal(store.readCalls, packs.size);
});

test('`DirectChunkSource.ranges` gives neighbours in one piece, others alone, and what `fetch` gives', async () => {
	class LargeReads extends DamagingStore {
		override readonly properties = { maxParallelReads: 2, readBytes: 1024 * 1024 };
	}
	const { store, chunks } = await storeWith(many, new LargeReads());
	const source = new DirectChunkSource(store);
	await fc.assert(
		fc.asyncProperty(fc.array(fc.constantFrom(...chunks), { maxLength: 60 }), async wanted => {
			const refs = wanted.map(({ ref }) => ref);
			const stored: Buffer[] = [];
			let ranges = 0;
			for await (const range of source.ranges(refs, options)) {
				ranges += 1;
				assert.equal(range.bytes.length, sum(range.lengths));
				for (const [at, length] of range.lengths.entries())
					stored.push(Buffer.from(range.bytes.subarray(sum(range.lengths.slice(0, at))).subarray(0, length)));
			}
			const fetched: Buffer[] = [];
			for await (const chunk of source.fetch(refs, options)) fetched.push(Buffer.from(chunk.stored));
			assert.deepEqual(stored, fetched);
			const follows = (ref: ChunkRef, before: ChunkRef | undefined) =>
				before?.packId === ref.packId && before.offsetBytes + before.storedBytes === ref.offsetBytes;
			assert.equal(ranges, refs.filter((ref, at) => !follows(ref, refs[at - 1])).length);
		}),
		{ numRuns: 50 },
	);
});

function sum(numbers: readonly number[]): number {
	return numbers.reduce((all, one) => all + one, 0);
}

test('`DirectChunkSource.fetch` finds a chunk whose pack is gone in another', async () => {
	const { store, chunks } = await storeWith(many);
	const { chunks: again } = await storeWith(many, store);
	for (const packId of new Set(chunks.map(({ ref }) => ref.packId))) await store.delete(keys.pack(packId));
	assert.deepEqual(await fetchAll(new DirectChunkSource(store), chunks), many);
	assert.notEqual(again[0]?.ref.packId, chunks[0]?.ref.packId);
});

test('`DirectChunkSource.fetch` looks up a chunk whose place is past the end of its pack', async () => {
	const { store, chunks } = await storeWith(many);
	const moved = chunks.map(({ ref, raw }) => ({ ref: { ...ref, offsetBytes: ref.offsetBytes + 1_000_000 }, raw }));
	assert.deepEqual(await fetchAll(new DirectChunkSource(store), moved), many);
});

test('`VerifiedChunks.fetchOne` sees a wrong place inside a pack by the digest, and locates the chunk', async () => {
	const { store, chunks } = await storeWith(many);
	const source = new DirectChunkSource(store);
	const [first, second] = chunks;
	assert.ok(first && second);
	const wrong = { ...first.ref, offsetBytes: second.ref.offsetBytes };
	await assert.rejects(fetchAll(source, [{ ref: wrong, raw: first.raw }]), { code: 'chunk_bad' });
	assert.deepEqual(await fetchOne(source, wrong), first.raw);
});

test('`VerifiedChunks.fetchOne` finds the undamaged one of two copies', async () => {
	const { store, chunks } = await storeWith(many);
	await storeWith(many, store);
	const source = new DirectChunkSource(store);
	for (const { ref, raw } of chunks.slice(0, 5)) {
		await store.flipByte(keys.pack(ref.packId), ref.offsetBytes + 100);
		assert.deepEqual(await fetchOne(source, ref), raw);
	}
});

test('`VerifiedChunks.fetchOne` of a chunk that is damaged everywhere is `chunk_bad`, and reads it after the repair', async () => {
	const { store, chunks } = await storeWith(many);
	const source = new DirectChunkSource(store);
	const chunk = chunks[7];
	assert.ok(chunk);
	const { ref, raw } = chunk;
	await store.flipByte(keys.pack(ref.packId), ref.offsetBytes + 100);
	await assert.rejects(fetchOne(source, ref), {
		code: 'chunk_bad',
		details: { digest: ref.digest, packId: ref.packId, offsetBytes: ref.offsetBytes, storedBytes: ref.storedBytes },
	});
	await store.repair(keys.pack(ref.packId));
	assert.deepEqual(await fetchOne(source, ref), raw);
});

test('`DirectChunkSource.fetch` of a chunk that is lost asks the footers of all packs once', async () => {
	const { store, chunks } = await storeWith(many);
	const { ref } = chunks[7] ?? assert.fail();
	await store.flipByte(keys.pack(ref.packId), ref.offsetBytes + 100);
	let passes = 0;
	const counting = hookedStore(store, async (call, prefix) => {
		if (call === 'list' && prefix === keys.packs) passes++;
	});
	await assert.rejects(fetchOne(new DirectChunkSource(counting), ref), { code: 'chunk_bad' });
	assert.equal(passes, 1);
});

test('`DirectChunkSource.fetch` gives what comes before a chunk that no pack has, then throws `chunk_missing`', async () => {
	const { store, chunks } = await storeWith(many);
	const lost = {
		ref: { ...chunks[0]!.ref, digest: 'ab'.repeat(32), packId: 'cd'.repeat(16) },
		raw: Buffer.alloc(4096),
	};
	const given: string[] = [];
	const refs = [chunks[3], lost, chunks[4]].map(chunk => chunk!.ref);
	await assert.rejects(
		async () => {
			for await (const { ref } of new DirectChunkSource(store).fetch(refs, options)) given.push(ref.digest);
		},
		{ code: 'chunk_missing', message: /abababab/ },
	);
	assert.deepEqual(given, [chunks[3]?.ref.digest]);
});

test('`DirectChunkSource.fetch` reads known places in a pack whose footer is damaged, and says of one that is bad as well that it is', async () => {
	const { store, chunks } = await storeWith(many);
	const { ref } = chunks[0]!;
	const damaged = store.bytesOf(keys.pack(ref.packId));
	damaged.writeUInt8(damaged.readUInt8(damaged.length - 1) ^ 1, damaged.length - 1);
	await store.replace(keys.pack(ref.packId), damaged);
	const source = new DirectChunkSource(store);
	assert.deepEqual(await fetchAll(source, chunks), many);
	assert.deepEqual(await fetchAll(source, chunks.slice(0, 1), { locate: true }), many.slice(0, 1));
	damaged.writeUInt8(damaged.readUInt8(100) ^ 1, 100);
	await store.replace(keys.pack(ref.packId), damaged);
	await assert.rejects(fetchAll(source, chunks.slice(0, 1), { locate: true }), { code: 'chunk_bad' });
});

test('`DirectChunkSource.fetch` from a store without its header is `store_unreachable`, not `chunk_missing`', async () => {
	const { store, chunks } = await storeWith(many);
	const source = new DirectChunkSource(store);
	for await (const { key } of store.list('')) await store.delete(key);
	await assert.rejects(fetchAll(source, chunks), { code: 'store_unreachable' });
});

test('`DirectChunkSource.fetch` ends when its loop is left and when it is aborted', async () => {
	const { store, chunks } = await storeWith(many);
	const source = new DirectChunkSource(store);
	const refs = chunks.map(({ ref }) => ref);
	for await (const { ref } of source.fetch(refs, options)) {
		assert.equal(ref, refs[0]);
		break;
	}
	const signal = AbortSignal.abort(new Error('enough'));
	await assert.rejects(fetchAll(source, chunks, { signal }), { message: 'enough' });
});

test('`DirectChunkSource.fetch` hands its signal to the reads that it begins ahead', async () => {
	class Watched extends DamagingStore {
		readonly signals: (AbortSignal | undefined)[] = [];
		override async read(key: string, offsetBytes: number, into: Uint8Array, signal?: AbortSignal) {
			this.signals.push(signal);
			return super.read(key, offsetBytes, into, signal);
		}
	}
	const { store, chunks } = await storeWith(many, new Watched());
	const abort = new AbortController();
	const refs = chunks.map(({ ref }) => ref);
	const fetching = async () => {
		for await (const _ of new DirectChunkSource(store).fetch(refs, { ...options, signal: abort.signal }))
			abort.abort(new Error('enough'));
	};
	await assert.rejects(fetching(), { message: 'enough' });
	assert.ok(store instanceof Watched && store.signals.length > 1);
	assert.ok(store.signals.every(signal => signal === abort.signal));
});

test('`DirectChunkSource.fetch` that is aborted while it looks for the header is not `store_unreachable`', async () => {
	const abort = new AbortController();
	class GivenUp extends LosingStore {
		override async size(key: string, signal?: AbortSignal): Promise<number | undefined> {
			if (key === keys.header) abort.abort(new Error('enough'));
			return super.size(key, signal);
		}
	}
	const store = new GivenUp();
	const { chunks } = await storeWith(many, store);
	store.gone = true;
	const locating = fetchAll(new DirectChunkSource(store), chunks, { locate: true, signal: abort.signal });
	await assert.rejects(locating, { message: 'enough' });
});

test('`VerifiedChunks.fetch` with some chunks damaged tells each of them by its position and gives the others', async () => {
	const { store, chunks } = await storeWith(many);
	const damaged = [0, 13, 14, 39];
	const packs = new Map<string, Buffer>();
	for (const position of damaged) {
		const { packId, offsetBytes } = chunks[position]!.ref;
		const pack = packs.get(packId) ?? store.bytesOf(keys.pack(packId));
		packs.set(packId, pack);
		pack.fill(0, offsetBytes + 50, offsetBytes + 60);
	}
	for (const [packId, pack] of packs) await store.replace(keys.pack(packId), pack);
	const told: number[] = [];
	const given: number[] = [];
	const refs = chunks.map(({ ref }) => ref);
	for await (const { wanted, bytes } of fetchMany(new DirectChunkSource(store), refs)) {
		if (bytes === undefined) told.push(wanted.position);
		else {
			assert.deepEqual(bytes, many[wanted.position]);
			given.push(wanted.position);
		}
	}
	assert.deepEqual(told, damaged);
	assert.deepEqual(
		given,
		[...many.keys()].filter(position => !damaged.includes(position)),
	);
});

/** A store that counts how often its packs are listed, and whose medium has lost some bytes, or everything. */
class LosingStore extends DamagingStore {
	listings = 0;
	lost = new Map<string, number>();
	gone = false;

	override list(prefix: string) {
		if (prefix === keys.packs) this.listings++;
		return super.list(prefix);
	}

	override async read(key: string, offsetBytes: number, into: Uint8Array): Promise<number | undefined> {
		const at = this.lost.get(key) ?? -1;
		if (this.gone || (at >= offsetBytes && at < offsetBytes + into.length))
			throw new RouseError('io_failed', `${key}: EIO`);
		return super.read(key, offsetBytes, into);
	}
}

test('`VerifiedChunks.fetch` asks all packs for a missing chunk once, however often it is wanted, and looks for no other', async () => {
	const store = new LosingStore();
	const { chunks } = await storeWith(many, store);
	const packId = chunks[0]!.ref.packId;
	await store.delete(keys.pack(packId));
	const clock = new TestClock();
	const source = new DirectChunkSource(store, clock);
	const told: number[] = [];
	const refs = chunks.map(({ ref }) => ref);
	for await (const { wanted, bytes } of fetchMany(source, refs)) {
		if (bytes === undefined) told.push(wanted.position);
		else assert.deepEqual(bytes, many[wanted.position]);
	}
	const missing = refs.flatMap((ref, position) => (ref.packId === packId ? [position] : []));
	assert.ok(missing.length > 3);
	assert.deepEqual(told, missing);
	// A read is of one chunk here, and each is looked for by itself.
	assert.equal(store.listings, missing.length);
	for (const position of missing) await assert.rejects(fetchOne(source, refs[position]!), { code: 'chunk_missing' });
	assert.equal(store.listings, missing.length);
	clock.ms += 2_000;
	await assert.rejects(fetchOne(source, refs[missing[0]!]!), { code: 'chunk_missing' });
	assert.equal(store.listings, missing.length + 1);
	await store.repair(keys.pack(packId));
	assert.deepEqual(await fetchAll(source, chunks), many);
});

test('`VerifiedChunks.fetch` over a place that the medium has lost says `chunk_bad` of that chunk alone, or takes it from another pack', async () => {
	class LargeReads extends LosingStore {
		override readonly properties = { maxParallelReads: 2, readBytes: 1024 * 1024 };
	}
	const store = new LargeReads();
	const { chunks } = await storeWith(many, store);
	const { ref } = chunks[2]!;
	store.lost.set(keys.pack(ref.packId), ref.offsetBytes + 100);
	const damage: RouseError[] = [];
	const given: number[] = [];
	const source = new DirectChunkSource(store);
	const refs = chunks.map(one => one.ref);
	for await (const one of fetchMany(source, refs)) {
		if (one.damage) damage.push(one.damage);
		else {
			assert.deepEqual(one.bytes, many[one.wanted.position]);
			given.push(one.wanted.position);
		}
	}
	assert.equal(given.length, many.length - 1);
	const { digest, packId, offsetBytes, storedBytes } = ref;
	assert.deepEqual(
		damage.map(({ code, details }) => ({ code, details })),
		[{ code: 'chunk_bad', details: { digest, packId, offsetBytes, storedBytes } }],
	);
	await storeWith(many, store);
	assert.deepEqual(await fetchAll(source, chunks), many);
});

test('`VerifiedChunks.fetchOne` finds a copy in another pack though the medium has lost a footer', async () => {
	const store = new LosingStore();
	const { chunks } = await storeWith(many, store);
	await storeWith(many, store);
	const { ref, raw } = chunks[0]!;
	store.lost.set(keys.pack(ref.packId), store.bytesOf(keys.pack(ref.packId)).length - 1);
	await store.flipByte(keys.pack(ref.packId), ref.offsetBytes + 100);
	assert.deepEqual(await fetchOne(new DirectChunkSource(store), ref), raw);
});

test('`DirectChunkSource.fetch` from a medium that gives nothing, not even the header, is `store_unreachable`', async () => {
	const store = new LosingStore();
	const { chunks } = await storeWith(many, store);
	const source = new DirectChunkSource(store);
	store.gone = true;
	await assert.rejects(fetchAll(source, chunks), { code: 'store_unreachable' });
	await assert.rejects(fetchAll(source, chunks, { locate: true }), { code: 'store_unreachable' });
	store.gone = false;
	assert.deepEqual(await fetchAll(source, chunks), many);
});
