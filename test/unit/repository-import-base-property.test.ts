import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { decodeJournal } from '../../repository/format/journal.ts';
import { keys } from '../../repository/format/keys.ts';
import type { SourceExtent } from '../../repository/import/disk-source.ts';
import type { Repository } from '../../repository/repository.ts';
import {
	allData,
	baseOf,
	baseTime,
	chunkBytes,
	chunksRead,
	countOf,
	digestsAt,
	expectedOf,
	extentsOf,
	harms,
	importAs,
	importId,
	leafBytes,
	machine,
	time,
	written,
} from '../equipment/base-imports.ts';
import { Death, WatchedStore } from '../equipment/mortal-store.ts';
import { collect, DamagingStore, importDisks, memoryRepository, wholeSource } from '../equipment/repositories.ts';
import { SaidSource } from '../equipment/said-source.ts';

/** Chunks that must be read when the base can be relied on. */
function changedIn(extents: readonly SourceExtent[], sizeBytes: number): number[] {
	const said = Array.from({ length: Math.ceil(sizeBytes / chunkBytes) }, () => new Set<string>());
	for (const { offsetBytes, lengthBytes, kind } of extents)
		for (let index = Math.floor(offsetBytes / chunkBytes); index * chunkBytes < offsetBytes + lengthBytes; index++)
			said[index]?.add(kind);
	return said.flatMap((kinds, index) => (kinds.size === 1 && !kinds.has('data') ? [] : [index]));
}

/** `disk/chunk` of all that is told: with references, and at all. */
async function toldIn({ store }: Repository, chunkCounts: readonly number[]) {
	const told = { references: new Set<string>(), all: new Set<string>() };
	for (const { key, sizeBytes } of await collect(store.list(keys.journals))) {
		const bytes = Buffer.alloc(sizeBytes);
		await store.read(key, 0, bytes);
		const identity = { importId, number: Number(key.slice(-10)), chunkCounts, hasBase: true };
		for (const { disk, firstChunk, count, refs } of decodeJournal(bytes, identity).runs)
			for (let chunk = firstChunk; chunk < firstChunk + count; chunk++) {
				if (refs !== undefined) told.references.add(`${disk}/${chunk}`);
				told.all.add(`${disk}/${chunk}`);
			}
	}
	return told;
}

const anyPieces = fc.array(
	fc.record({
		atBytes: fc.oneof(
			fc.nat(3 * leafBytes),
			fc.nat(700).map(chunk => chunk * chunkBytes),
		),
		lengthBytes: fc.oneof(
			fc.integer({ min: 1, max: 9000 }),
			fc.integer({ min: 1, max: 40 }).map(count => count * chunkBytes),
		),
		seed: fc.nat(9),
	}),
	{ maxLength: 8 },
);
const anyCuts = fc.array(
	fc.record({
		lengthBytes: fc.oneof(
			fc.integer({ min: 1000, max: 20_000 }),
			fc.integer({ min: 1, max: 2000 }).map(count => count * chunkBytes),
		),
		says: fc.integer({ min: 0, max: 9 }).map(number => number > 0),
	}),
	{ minLength: 1, maxLength: 12 },
);
const anyDisk = fc.record({
	sizeBytes: fc.oneof(
		fc.integer({ min: 1, max: 200_000 }),
		fc.integer({ min: leafBytes - 9000, max: 2.5 * leafBytes }),
	),
	before: anyPieces,
	changes: anyPieces,
	cuts: anyCuts,
});
const anyDeaths = fc.array(fc.tuple(fc.integer({ min: 1, max: 70 }), fc.boolean()), { maxLength: 3 });

test('`importMachine` with a base stores what the source is, whatever became of the base and of attempts before', async () => {
	const harmNames = fc.constantFrom(...(Object.keys(harms) as (keyof typeof harms)[]));
	await fc.assert(
		fc.asyncProperty(
			fc.array(anyDisk, { minLength: 1, maxLength: 2 }),
			fc.oneof(fc.constant('nothing' as const), fc.constant('a data pack gone' as const), harmNames),
			anyDeaths,
			// Whether the source can still tell in the end what is unchanged.
			fc.integer({ min: 0, max: 3 }).map(number => number > 0),
			// Whether the base is harmed before the last attempt only.
			fc.boolean(),
			async (disks, harm, deaths, tellsInTheEnd, isLate) => {
				const store = new DamagingStore();
				const repository = await memoryRepository(chunkBytes, store);
				const before = disks.map(({ sizeBytes, before: pieces }) => written(Buffer.alloc(sizeBytes), pieces));
				const now = disks.map(({ changes }, disk) => written(before[disk] ?? Buffer.alloc(0), changes));
				// The base has its disks in another order.
				const stored = await importDisks(repository, before.map(wholeSource).toReversed(), { time: baseTime });
				if (!isLate) await harms[harm](store);
				const extents = disks.map(({ cuts }, disk) =>
					extentsOf(now[disk] ?? Buffer.alloc(0), before[disk] ?? Buffer.alloc(0), cuts),
				);
				const makeSources = () =>
					now.map((bytes, disk) => new SaidSource(bytes, extents[disk] ?? [], disks.length - 1 - disk));
				const base = baseOf(stored);
				for (const [at, isAfter] of deaths) {
					const dying = { ...repository, store: new WatchedStore(store, new Death(at, isAfter)) };
					await importAs(dying, makeSources(), base).catch((error: unknown) => {
						if (!(error instanceof RouseError) || error.code !== 'store_unreachable') throw error;
					});
				}
				// Of a point that is there already nobody takes chunks away.
				if (isLate && (await store.size(keys.point(machine, time))) === undefined) await harms[harm](store);
				const told = await toldIn(repository, now.map(countOf));
				const sources = tellsInTheEnd ? makeSources() : now.map(allData);
				const { warnings } = await importAs(repository, sources, base);
				assert.deepEqual(await digestsAt(repository), await expectedOf(now));
				if (harm === 'nothing') assert.deepEqual(warnings, []);
				for (const [disk, source] of sources.entries()) {
					const read = chunksRead(source);
					const toldOf = harm === 'nothing' ? told.all : isLate ? new Set() : told.references;
					assert.deepEqual(
						read.filter(chunk => toldOf.has(`${disk}/${chunk}`)),
						[],
					);
					if (harm !== 'nothing' || !tellsInTheEnd) continue;
					const changed = new Set(changedIn(extents[disk] ?? [], source.sizeBytes));
					assert.deepEqual(
						read.filter(chunk => !changed.has(chunk)),
						[],
					);
					if (deaths.length === 0) assert.equal(read.length, changed.size);
				}
			},
		),
		{ numRuns: 30 },
	);
});
