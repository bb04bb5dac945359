/** A repository with every kind of object, to be damaged. */
import assert from 'node:assert/strict';
import type { ChunkRef } from '../../../model/chunk.ts';
import { BadPlaces } from '../../../repository/bad-places.ts';
import { encodeJournal } from '../../../repository/format/journal.ts';
import { keys } from '../../../repository/format/keys.ts';
import { refOf } from '../../../repository/format/pack.ts';
import { chunkRefBytes, encodeChunkRef } from '../../../repository/format/reference.ts';
import { announceImport } from '../../../repository/import/intent.ts';
import { ImportIndex } from '../../../repository/index/import-index.ts';
import { IndexDraft } from '../../../repository/index/index-draft.ts';
import { allPackFooters } from '../../../repository/pack-footers.ts';
import { pinPoint } from '../../../repository/pins.ts';
import { readPoint } from '../../../repository/points.ts';
import { initStore, openStore, type Repository } from '../../../repository/repository.ts';
import type { Store } from '../../../repository/store/contract.ts';
import { MemoryStore } from '../../../repository/store/memory.ts';
import { collect, importDisks, noise, type Piece, SparseSource } from '../repositories.ts';

const chunkBytes = 4096;

/** Three leaves and a root; some chunks in the first and the last leaf. */
const largeDisk = 2100 * chunkBytes;

/** Half of a chunk compresses, so that there are frames of both kinds. */
function chunk(seed: number): Buffer {
	return Buffer.concat([noise(seed % 2 === 0 ? chunkBytes : 1024, seed), Buffer.alloc(chunkBytes, seed)]).subarray(
		0,
		chunkBytes,
	);
}

const piece = (index: number, seeds: readonly number[]): Piece => ({
	offsetBytes: index * chunkBytes,
	bytes: Buffer.concat(seeds.map(chunk)),
});

export interface StoredMachine {
	machine: string;
	time: string;
	disks: SparseSource[];
}

const small = (seeds: readonly number[]) =>
	new SparseSource(seeds.length * chunkBytes - 100, [piece(0, seeds)].map(cut));

/** The last chunk is short. */
function cut({ offsetBytes, bytes }: Piece): Piece {
	return { offsetBytes, bytes: bytes.subarray(0, bytes.length - 100) };
}

/** Two machines that share chunks; the second point of one shares pages with its first. */
export const storedMachines: readonly StoredMachine[] = [
	{
		machine: 'web01',
		time: '2026-11-20T03:00:00.000Z',
		disks: [new SparseSource(largeDisk, [piece(3, [1, 2, 3]), piece(2060, [4, 5])]), small([6, 7, 8])],
	},
	{
		machine: 'web01',
		time: '2026-11-21T03:00:00.000Z',
		disks: [new SparseSource(largeDisk, [piece(3, [1, 9, 3]), piece(2060, [4, 5])]), small([6, 7, 8])],
	},
	{ machine: 'db01', time: '2026-11-20T04:00:00.000Z', disks: [small([1, 10, 11, 6, 12])] },
];

export interface WholeRepository {
	/** By their keys; they are not to be changed. */
	objects: ReadonlyMap<string, Buffer>;
	/** Keys of the packs with pages. */
	pages: ReadonlySet<string>;
}

export async function wholeRepository(): Promise<WholeRepository> {
	const store = new MemoryStore();
	await initStore(store, { chunkSizeBytes: chunkBytes });
	const repository = await openStore(store);
	for (const { machine, time, disks } of storedMachines)
		await importDisks(repository, disks, { machine, time, packBytes: 16_384 });
	await leaveIndexes(repository);
	await leaveTraces(repository);
	const objects = new Map<string, Buffer>();
	for (const { key, sizeBytes } of await collect(store.list(''))) {
		const bytes = Buffer.alloc(sizeBytes);
		assert.equal(await store.read(key, 0, bytes), sizeBytes);
		objects.set(key, bytes);
	}
	const pages = new Set<string>();
	for await (const { packId, kind } of allPackFooters(store, ({ error }) => assert.fail(error)))
		if (kind === 'page') pages.add(keys.pack(packId));
	return { objects, pages };
}

export async function storeOf(objects: ReadonlyMap<string, Buffer>): Promise<Store> {
	const store = new MemoryStore();
	for (const [key, bytes] of objects) await store.putExclusive(key, bytes);
	return store;
}

/** One that stands for another, which a crash has left there. */
async function leaveIndexes({ store }: Repository): Promise<void> {
	await ImportIndex.begin(store, { mayDelete: false });
	const [first] = await collect(store.list(keys.indexes));
	const draft = new IndexDraft();
	const sizes = new Map((await collect(store.list(keys.packs))).map(({ key, sizeBytes }) => [key, sizeBytes]));
	for await (const footer of allPackFooters(store, ({ error }) => assert.fail(error)))
		draft.add({ footer, sizeBytes: sizes.get(keys.pack(footer.packId)) ?? 0 });
	await draft.write(store, [first?.key.slice(keys.indexes.length) ?? assert.fail()]);
}

/** A pin, a mark, and what an import has left that died. */
async function leaveTraces(repository: Repository): Promise<void> {
	const { store } = repository;
	const recoveryId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const importId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
	const [machine, restorePoint] = ['web01', '2026-11-20T03:00:00.000Z'];
	const { manifestDigest } = await readPoint(repository, machine, restorePoint);
	await pinPoint(repository, { recoveryId, machine, restorePoint, manifestDigest, reason: 'recovery web01-r1' });
	const refs: ChunkRef[] = [];
	for await (const footer of allPackFooters(store, ({ error }) => assert.fail(error)))
		if (footer.kind === 'chunk') refs.push(...footer.chunks.map(one => refOf(footer.packId, one)));
	const [first, second] = refs;
	assert.ok(first && second);
	await new BadPlaces(store).mark(first, 'by a test');
	const journal = Buffer.alloc(2 * chunkRefBytes);
	for (const [number, ref] of [first, second].entries()) encodeChunkRef(ref, journal, number * chunkRefBytes);
	const sizes = { chunkSizeBytes: chunkBytes, frameSizeBytes: repository.frameSizeBytes };
	const scope = {
		importId,
		machine: 'web01',
		time: '2026-11-22T03:00:00.000Z',
		moment: 'a moment',
		base: null,
		...sizes,
	};
	await announceImport(store, { ...scope, disks: [{ sizeBytes: 10 * chunkBytes }] });
	const runs = [
		{ disk: 0, firstChunk: 0, count: 2, refs: journal },
		{ disk: 0, firstChunk: 2, count: 5, refs: undefined },
	];
	const object = { attempt: 'ab'.repeat(16), begins: { disk: 0, chunk: 0 }, runs };
	await store.putExclusive(keys.journal(importId, 0), encodeJournal(object, { importId, number: 0 }));
}
