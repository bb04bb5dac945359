import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { BadPlaces } from '../../repository/bad-places.ts';
import { keys } from '../../repository/format/keys.ts';
import { Page } from '../../repository/format/page.ts';
import { pageMapOf } from '../../repository/format/page-map.ts';
import { DiskDraft } from '../../repository/import/disk-draft.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import type { BaseName } from '../../repository/import/intent.ts';
import { readPoint } from '../../repository/points.ts';
import {
	baseOf,
	baseTime,
	chunkBytes,
	chunksRead,
	digestsAt,
	expectedOf,
	extentsOf,
	harms,
	importAs,
	importId,
	leafBytes,
	machine,
	packsIn,
	time,
	written,
} from '../equipment/base-imports.ts';
import { Death, WatchedStore } from '../equipment/mortal-store.ts';
import {
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	wholeSource,
} from '../equipment/repositories.ts';
import { SaidSource } from '../equipment/said-source.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

/** Two leaves and a part, of which the second is zero but for a chunk. */
function sampleBase(): Buffer {
	return written(Buffer.alloc(2.1 * leafBytes + 77), [
		{ atBytes: 3 * chunkBytes, lengthBytes: 200 * chunkBytes, seed: 1 },
		{ atBytes: 1500 * chunkBytes, lengthBytes: chunkBytes, seed: 2 },
		{ atBytes: 2.1 * leafBytes - 100 * chunkBytes, lengthBytes: 100 * chunkBytes + 77, seed: 3 },
	]);
}

/** A part of a leaf. */
function smallBase(): Buffer {
	return written(Buffer.alloc(200 * chunkBytes + 77), [
		{ atBytes: 3 * chunkBytes, lengthBytes: 50 * chunkBytes, seed: 1 },
		{ atBytes: 190 * chunkBytes, lengthBytes: 10 * chunkBytes + 77, seed: 2 },
	]);
}

function unchanged(bytes: Buffer, baseDisk?: number): SaidSource {
	return new SaidSource(bytes, [{ offsetBytes: 0, lengthBytes: bytes.length, kind: 'unchanged' }], baseDisk);
}

test('`importMachine` of a disk that is unchanged stores a manifest and nothing else, and reads no byte', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunkBytes, store);
	const bytes = sampleBase();
	const stored = await importDisks(repository, [wholeSource(bytes)], { time: baseTime });
	const packs = (await collect(store.list(keys.packs))).length;
	const source = unchanged(bytes, 0);
	const progress: number[] = [];
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	const { storedBytes, newBytes, warnings } = await importMachine(
		{ repository, machine, time, sources: [source], config, base: baseOf(stored) },
		{ progress: ({ doneBytes }) => progress.push(doneBytes) },
	);
	assert.deepEqual([source.reads, newBytes, warnings], [[], 0, []]);
	assert.equal(storedBytes, store.bytesOf(keys.point(machine, time)).length);
	assert.equal((await collect(store.list(keys.packs))).length, packs);
	const [before, after] = await Promise.all([baseTime, time].map(at => readPoint(repository, machine, at)));
	assert.deepEqual(after?.manifest.disks, before?.manifest.disks);
	assert.deepEqual(progress, [leafBytes, 2 * leafBytes, bytes.length, bytes.length]);
	assert.deepEqual(await digestsAt(repository), await expectedOf([bytes]));
});

test('`importMachine` takes from its base, whatever the latest point is', async () => {
	const repository = await memoryRepository(chunkBytes);
	const bytes = sampleBase();
	const stored = await importDisks(repository, [wholeSource(bytes)], { time: baseTime });
	await importDisks(repository, [wholeSource(noise(bytes.length, 9))], { time: '2026-11-20T04:00:00.000Z' });
	const changed = written(bytes, [{ atBytes: 5 * chunkBytes, lengthBytes: 1, seed: 4 }]);
	const extents = extentsOf(changed, bytes, [{ lengthBytes: chunkBytes, says: true }]);
	const source = new SaidSource(changed, extents, 0);
	const { newBytes } = await importAs(repository, [source], baseOf(stored));
	assert.deepEqual([chunksRead(source), newBytes], [[5], chunkBytes]);
	assert.deepEqual(await digestsAt(repository), await expectedOf([changed]));
});

function same<T>(it: T): T {
	return it;
}

interface Unfit {
	what: string;
	warning: RegExp;
	/** What the base was stored from. */
	stored?: (bytes: Buffer) => Buffer;
	baseDisk?: number;
	base?: (base: BaseName) => BaseName | null;
	harm?: (store: DamagingStore) => Promise<void>;
}

const unfit: Unfit[] = [
	{ what: 'is not named', warning: /has no base/, base: () => null },
	{ what: 'has no such disk', warning: /no such disk/, baseDisk: 1 },
	{ what: 'has a larger disk', warning: /bytes instead of/, stored: bytes => Buffer.concat([bytes, Buffer.alloc(1)]) },
	{ what: 'has a smaller disk', warning: /bytes instead of/, stored: bytes => bytes.subarray(0, -1) },
	{
		what: 'is another point by now',
		warning: /another point by now/,
		base: base => ({ ...base, manifestDigest: 'ab'.repeat(32) }),
	},
	{
		what: 'is gone',
		warning: /is gone/,
		base: base => ({ ...base, restorePoint: '2026-11-19T03:00:00.000Z' }),
	},
	{ what: 'is damaged', warning: /cannot be read/, harm: harms['a damaged manifest'] },
	{ what: 'has damaged pages', warning: /pages of its base are damaged/, harm: harms['pages damaged'] },
	{ what: 'has chunks in a pack that is gone', warning: /cannot be relied on/, harm: harms['a data pack gone'] },
	{ what: 'has bad places', warning: /cannot be relied on/, harm: harms['a bad data place'] },
];

for (const { what, warning, stored = same, baseDisk = 0, base = same, harm } of unfit)
	test(`\`importMachine\` whose base ${what} reads its source instead, and says why`, async () => {
		const store = new DamagingStore();
		const repository = await memoryRepository(chunkBytes, store);
		const bytes = smallBase();
		const result = await importDisks(repository, [wholeSource(stored(bytes))], { time: baseTime });
		await harm?.(store);
		const source = unchanged(bytes, baseDisk);
		const { warnings } = await importAs(repository, [source], base(baseOf(result)));
		assert.equal(warnings.length, 1);
		assert.match(warnings[0] ?? '', warning);
		assert.match(warnings[0] ?? '', new RegExp(`^disk 0: ${chunksRead(source).length} unchanged chunks were read`));
		assert.deepEqual(await digestsAt(repository), await expectedOf([bytes]));
	});

test('`importMachine` takes nothing from a disk of its base that was not whole, or has other sizes of chunks', async () => {
	const bytes = smallBase();
	const repository = await memoryRepository(chunkBytes);
	const partial = Object.assign(wholeSource(bytes), { missing: { atBytes: 0, lengthBytes: 1 } });
	const notWhole = await importDisks(repository, [partial], { time: baseTime });
	const first = await importAs(repository, [unchanged(bytes, 0)], baseOf(notWhole));
	assert.match(first.warnings[0] ?? '', /is not whole/);
	const other = await importDisks({ ...repository, chunkSizeBytes: 8192 }, [wholeSource(bytes)], {
		time: '2026-11-22T03:00:00.000Z',
	});
	const more = { time: '2026-11-23T03:00:00.000Z', moment: null };
	const second = await importAs(repository, [unchanged(bytes, 0)], baseOf(other), more);
	assert.match(second.warnings[0] ?? '', /other sizes of chunk/);
	assert.deepEqual(await digestsAt(repository, more.time), await expectedOf([bytes]));
});

test('`importMachine` gives a base with many damaged pages up: each of them costs a look at all packs', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunkBytes, store);
	const bytes = Buffer.alloc(20 * leafBytes);
	for (let leaf = 0; leaf < 20; leaf++) noise(chunkBytes, leaf + 1).copy(bytes, leaf * leafBytes);
	const stored = await importDisks(repository, [wholeSource(bytes)], { time: baseTime });
	for (const { kind, key, footer } of await packsIn(store)) {
		if (kind !== 'page') continue;
		const damaged = store.bytesOf(key);
		for (const { offsetBytes } of footer.chunks.slice(0, 12))
			damaged.writeUInt8(damaged.readUInt8(offsetBytes + 45) ^ 1, offsetBytes + 45);
		await store.replace(key, damaged);
	}
	const { warnings } = await importAs(repository, [unchanged(bytes, 0)], baseOf(stored));
	assert.deepEqual(
		warnings.map(warning => /^disk 0: \d+/.exec(warning)?.[0]),
		[`disk 0: ${20 * 1024}`],
	);
});

test('`importMachine` goes on only with the base that it was begun with', async () => {
	const repository = await memoryRepository(chunkBytes);
	const bytes = smallBase();
	const stored = await importDisks(repository, [wholeSource(bytes)], { time: baseTime });
	const dying = { ...repository, store: new WatchedStore(repository.store, new Death(30)) };
	await assert.rejects(importAs(dying, [unchanged(bytes, 0)], baseOf(stored)), { code: 'store_unreachable' });
	await assert.rejects(importAs(repository, [unchanged(bytes, 0)], null), { code: 'identity_conflict' });
	const other = { ...baseOf(stored), manifestDigest: 'ab'.repeat(32) };
	await assert.rejects(importAs(repository, [unchanged(bytes, 0)], other), { code: 'identity_conflict' });
	await importAs(repository, [unchanged(bytes, 0)], baseOf(stored));
});

test('`importMachine` that goes on reads nothing again that it has read in place of its base', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(chunkBytes, store);
	const bytes = smallBase();
	const base = baseOf(await importDisks(repository, [wholeSource(bytes)], { time: baseTime }));
	await harms['a bad data place'](store);
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	const request = { repository, machine, time, config, base, importId, moment: 'then', packBytes: 4 * chunkBytes };
	const brokenOff = new RouseError('interrupted', 'by a test');
	const reached = (place: string) => {
		if (place === 'pages') throw brokenOff;
	};
	const first = unchanged(bytes, 0);
	await assert.rejects(importMachine({ ...request, sources: [first] }, { reached }), brokenOff);
	assert.ok(chunksRead(first).length > 15);
	const second = unchanged(bytes, 0);
	const { warnings } = await importMachine({ ...request, sources: [second] });
	assert.deepEqual([second.reads, warnings], [[], []]);
	assert.deepEqual(await digestsAt(repository), await expectedOf([bytes]));
});

for (const entry of [0, 500, 1023])
	test(`\`importMachine\` takes a leaf of its base apart whose entry ${entry} cannot be relied on`, async () => {
		const store = new DamagingStore();
		const repository = await memoryRepository(chunkBytes, store);
		const bytes = written(Buffer.alloc(2 * leafBytes), [
			{ atBytes: 0, lengthBytes: chunkBytes, seed: 1 },
			{ atBytes: 500 * chunkBytes, lengthBytes: chunkBytes, seed: 2 },
			{ atBytes: 1023 * chunkBytes, lengthBytes: 2 * chunkBytes, seed: 3 },
		]);
		const base = baseOf(await importDisks(repository, [wholeSource(bytes)], { time: baseTime }));
		const [data] = (await packsIn(store)).filter(({ kind }) => kind === 'chunk');
		const bad = data?.footer.chunks[[0, 500, 1023].indexOf(entry)];
		assert.ok(data && bad);
		await new BadPlaces(store).mark({ ...bad, packId: data.footer.packId }, 'by a test');
		const source = unchanged(bytes, 0);
		const { newBytes } = await importAs(repository, [source], base);
		assert.deepEqual([chunksRead(source), newBytes], [[entry], chunkBytes]);
		assert.deepEqual(await digestsAt(repository), await expectedOf([bytes]));
	});

test('`DiskDraft` of a leaf that is all zero has no page of it, whatever a base has', async () => {
	const map = pageMapOf({ sizeBytes: leafBytes, chunkSizeBytes: chunkBytes });
	const draft = new DiskDraft(map, 16_384, async () => assert.fail('a zero page is stored'));
	await draft.addOfPage(new Page(Buffer.alloc(1024 * 56)), 0, 1024);
	const { root, dataBytes } = await draft.finish();
	assert.deepEqual([root, dataBytes], [undefined, 0]);
});
