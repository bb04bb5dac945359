import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { RouseError } from '../../model/errors.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { DiskReader } from '../../repository/disk-reader.ts';
import { diskChunks } from '../../repository/disk-chunks.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { keys } from '../../repository/format/keys.ts';
import type { DiskSource } from '../../repository/import/disk-source.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { mapOrdered } from '../../repository/import/map-ordered.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import {
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	SparseSource,
	wholeSource,
} from '../equipment/repositories.ts';
import { sampleConfig } from '../equipment/sample-config.ts';

const first = '2026-11-20T03:00:00.000Z';
const second = '2026-11-21T03:00:00.000Z';

async function imageOf(repository: Repository, time = first, disk = 0) {
	const image = (await readPoint(repository, 'web01', time)).manifest.disks[disk];
	assert.ok(image);
	return image;
}

async function readBack(repository: Repository, time = first, disk = 0): Promise<Buffer> {
	const image = await imageOf(repository, time, disk);
	const bytes = Buffer.alloc(image.sizeBytes);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	for await (const chunk of diskChunks(chunks, new DiskReader(chunks, image), { class: 'migration' }))
		chunk.bytes.copy(bytes, chunk.index * image.chunkSizeBytes);
	return bytes;
}

async function keysOf(repository: Repository, prefix: string): Promise<string[]> {
	return (await collect(repository.store.list(prefix))).map(({ key }) => key);
}

test('`importMachine` stores what is read back, for disks of every shape and size', async () => {
	const anyPiece = fc.record({ gap: fc.nat(30_000), length: fc.integer({ min: 1, max: 30_000 }), kind: fc.nat(2) });
	await fc.assert(
		fc.asyncProperty(fc.array(anyPiece, { maxLength: 8 }), fc.integer({ min: 1, max: 20_000 }), async (shape, tail) => {
			let at = 0;
			const pieces = shape.map(({ gap, length, kind }, seed) => {
				const offsetBytes = at + gap;
				at = offsetBytes + length;
				const bytes = kind === 0 ? noise(length, seed) : Buffer.alloc(length, kind === 1 ? 0 : 'text');
				return { offsetBytes, bytes };
			});
			const source = new SparseSource(at + tail, pieces);
			const expected = Buffer.alloc(at + tail);
			for (const { offsetBytes, bytes } of pieces) bytes.copy(expected, offsetBytes);
			const repository = await memoryRepository();
			await importDisks(repository, [source]);
			assert.deepEqual(await readBack(repository), expected);
		}),
		{ numRuns: 60 },
	);
});

test('`importMachine` answers with sizes, new bytes and what it added to the store', async () => {
	const repository = await memoryRepository();
	const objects = async () =>
		(await collect(repository.store.list(''))).filter(({ key }) => !key.startsWith(keys.indexes));
	const before = await objects();
	const result = await importDisks(repository, [wholeSource(noise(50_001, 1)), new SparseSource(1e9, [])]);
	const after = await objects();
	assert.deepEqual(result.disks, [{ sizeBytes: 50_001 }, { sizeBytes: 1e9 }]);
	assert.equal(result.machine, 'web01');
	assert.equal(result.restorePoint, first);
	assert.equal(result.newBytes, 50_001);
	const total = (found: typeof before) => found.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
	assert.equal(result.storedBytes, total(after) - total(before));
	assert.equal(result.manifestDigest, (await readPoint(repository, 'web01', first)).manifestDigest);
});

test('`importMachine` of a disk that changed stores only what is new, and shares pages', async () => {
	const repository = await memoryRepository();
	const disk = noise(3000 * 4096, 1);
	await importDisks(repository, [wholeSource(disk)]);
	noise(4096, 2).copy(disk, 100 * 4096);
	const result = await importDisks(repository, [wholeSource(disk)], { time: second });
	assert.equal(result.newBytes, 4096);
	assert.ok(result.storedBytes < 2.5 * 1024 * 56 + 4096 + 4000, `${result.storedBytes} stored: pages are shared`);
	assert.deepEqual(await readBack(repository, second), disk);
});

test('`importMachine` of an unchanged disk stores a manifest and nothing else', async () => {
	const repository = await memoryRepository();
	const disk = noise(300_000, 1);
	await importDisks(repository, [wholeSource(disk)]);
	const packs = await keysOf(repository, keys.packs);
	const result = await importDisks(repository, [wholeSource(disk)], { time: second });
	assert.equal(result.newBytes, 0);
	assert.deepEqual(await keysOf(repository, keys.packs), packs);
	assert.deepEqual((await imageOf(repository, second)).root, (await imageOf(repository, first)).root);
});

test('`importMachine` stores equal chunks of one import once', async () => {
	const repository = await memoryRepository();
	const chunk = noise(4096, 5);
	const disk = Buffer.concat(Array.from({ length: 500 }, () => chunk));
	const result = await importDisks(repository, [wholeSource(disk), wholeSource(disk)]);
	assert.equal(result.newBytes, 4096);
	assert.deepEqual(await readBack(repository, first, 1), disk);
});

test('`importMachine` gives a content digest that depends on the content alone', async () => {
	const disk = noise(100_000, 1);
	disk.fill(0, 20_000, 60_000);
	const one = await memoryRepository();
	await importDisks(one, [wholeSource(disk)]);
	const other = await memoryRepository();
	await importDisks(other, [wholeSource(noise(9000, 3))], { machine: 'other' });
	const sparse = [
		{ offsetBytes: 0, bytes: disk.subarray(0, 20_000) },
		{ offsetBytes: 60_000, bytes: disk.subarray(60_000) },
	];
	await importDisks(other, [new SparseSource(disk.length, sparse)]);
	assert.equal((await imageOf(one)).contentDigest, (await imageOf(other)).contentDigest);
	assert.notEqual((await imageOf(one)).root?.packId, (await imageOf(other)).root?.packId);
	disk.writeUInt8(disk.readUInt8(0) ^ 1, 0);
	await importDisks(one, [wholeSource(disk)], { time: second });
	assert.notEqual((await imageOf(one, second)).contentDigest, (await imageOf(one)).contentDigest);
});

test('`importMachine` gives zero disks of different sizes different content digests', async () => {
	const repository = await memoryRepository();
	await importDisks(repository, [new SparseSource(1000, []), new SparseSource(1001, []), new SparseSource(1000, [])]);
	const digests = [0, 1, 2].map(async disk => (await imageOf(repository, first, disk)).contentDigest);
	const [a, b, c] = await Promise.all(digests);
	assert.notEqual(a, b);
	assert.equal(a, c);
});

test('`importMachine` of a point that exists is `point_exists` and leaves it as it is', async () => {
	const repository = await memoryRepository();
	await importDisks(repository, [wholeSource(noise(5000, 1))]);
	const digest = (await readPoint(repository, 'web01', first)).manifestDigest;
	await assert.rejects(importDisks(repository, [wholeSource(noise(5000, 2))]), { code: 'point_exists', exitCode: 6 });
	assert.equal((await readPoint(repository, 'web01', first)).manifestDigest, digest);
});

test('`importMachine` twice at once of one point succeeds once, and is `point_exists` once', async () => {
	const repository = await memoryRepository();
	const imports = [1, 2].map(seed => importDisks(repository, [wholeSource(noise(50_000, seed))]));
	const results = await Promise.allSettled(imports);
	assert.deepEqual(results.map(({ status }) => status).toSorted(), ['fulfilled', 'rejected']);
	const failed = results.find(result => result.status === 'rejected');
	assert.equal(failed?.reason.code, 'point_exists');
	assert.deepEqual((await verifyPoint(repository, await readPoint(repository, 'web01', first))).damaged, []);
});

test('`importMachine` keeps its intent from before the first footer is read until the point exists', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	const seen: Promise<string>[] = [];
	const reached = (place: string) =>
		seen.push(keysOf(repository, keys.intents).then(found => `${place} ${found.length}`));
	await importDisks(repository, [wholeSource(noise(5000, 1))], {}, { reached });
	const places = ['intent', 'known', 'disk', 'data', 'pages', 'checked', 'manifest'];
	assert.deepEqual(
		await Promise.all(seen),
		places.map(place => `${place} 1`),
	);
	assert.deepEqual(await keysOf(repository, keys.intents), []);
});

test('`importMachine` stores all that a manifest refers to before the manifest', async () => {
	const order: string[] = [];
	class OrderedStore extends DamagingStore {
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			const put = await super.putExclusive(key, data);
			order.push(key.split('/')[0] ?? '');
			return put;
		}
	}
	const repository = await memoryRepository(4096, new OrderedStore());
	await importDisks(repository, [wholeSource(noise(500_000, 1))]);
	assert.equal(order.filter(kind => kind === 'packs').length > 3, true);
	assert.deepEqual(
		order.filter(kind => kind !== 'packs'),
		['rouse-repository', 'rouse-repository.copy', 'intents', 'journal', 'index', 'index', 'points'],
	);
	assert.equal(order.at(-1), 'points');
});

test('`importMachine` ended by its source, an abort or a full store leaves neither point nor intent', async () => {
	class FullStore extends DamagingStore {
		full = false;
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			if (this.full && key.startsWith(keys.packs)) throw Object.assign(new Error('full'), { code: 'space_short' });
			return super.putExclusive(key, data);
		}
	}
	class FailingSource extends SparseSource {
		override async read(offsetBytes: number, into: Buffer): Promise<void> {
			if (offsetBytes >= 1024 * 1024) throw Object.assign(new Error('gone'), { code: 'source_invalid' });
			return super.read(offsetBytes, into);
		}
	}
	const disk = noise(3 * 1024 * 1024, 1);
	const store = new FullStore();
	const repository = await memoryRepository(4096, store);
	const failing = new FailingSource(disk.length, [{ offsetBytes: 0, bytes: disk }]);
	await assert.rejects(importDisks(repository, [failing]), { code: 'source_invalid' });

	const stop = new AbortController();
	const progress = () => stop.abort(new Error('stopped by hand'));
	await assert.rejects(importDisks(repository, [wholeSource(disk)], {}, { signal: stop.signal, progress }), {
		message: 'stopped by hand',
	});

	store.full = true;
	await assert.rejects(importDisks(repository, [wholeSource(noise(disk.length, 2))]), { code: 'space_short' });
	assert.deepEqual(await keysOf(repository, keys.points), []);
	assert.deepEqual(await keysOf(repository, keys.intents), []);

	store.full = false;
	const again = await importDisks(repository, [wholeSource(disk)]);
	assert.ok(again.newBytes < 2.5 * 1024 * 1024, `${again.newBytes} new: what the failed imports stored is used`);
	assert.deepEqual(await readBack(repository), disk);
});

test('`importMachine` tells of a pack with a damaged footer and stores its chunks again', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	const disk = noise(40_000, 1);
	await importDisks(repository, [wholeSource(disk)]);
	const packs = await keysOf(repository, keys.packs);
	for (const key of packs) await store.flipByte(key, store.bytesOf(key).length - 20);
	const result = await importDisks(repository, [wholeSource(disk)], { time: second });
	assert.equal(result.newBytes, 40_000);
	// Of pages there were none to be found by then.
	assert.equal(result.unreadablePacks.length, 1);
	assert.ok(packs.includes(keys.pack(result.unreadablePacks[0] ?? '')));
	assert.deepEqual(await readBack(repository, second), disk);
});

test('`importMachine` tells progress from nothing to all of each disk, and never back', async () => {
	const repository = await memoryRepository();
	const seen: [number, number][] = [];
	const disks = [wholeSource(noise(3_000_000, 1)), new SparseSource(5_000_000, [])];
	await importDisks(repository, disks, {}, { progress: ({ disk, doneBytes }) => seen.push([disk, doneBytes]) });
	assert.deepEqual(seen.filter(([disk]) => disk === 0).at(-1), [0, 3_000_000]);
	assert.deepEqual(seen.at(-1), [1, 5_000_000]);
	for (const [position, [disk, done]] of seen.entries()) {
		const before = seen[position - 1];
		assert.ok(before === undefined || before[0] < disk || before[1] <= done);
	}
});

test('`mapOrdered` keeps the order, runs no more at once than allowed, and waits for what runs when it is left', async () => {
	let running = 0;
	let most = 0;
	const numbers = async function* () {
		for (let number = 0; number < 30; number++) yield number;
	};
	const work = async (number: number) => {
		most = Math.max(most, ++running);
		for (let turns = 1 + ((number * 7) % 5); turns > 0; turns--) await setImmediate();
		running--;
		return number;
	};
	assert.deepEqual(await collect(mapOrdered(numbers(), 4, work)), [...Array(30).keys()]);
	assert.equal(most, 4);
	for await (const number of mapOrdered(numbers(), 4, work)) if (number === 5) break;
	assert.equal(running, 0);
});

test('`importMachine` of what no manifest could hold is refused before anything is read or written', async () => {
	const repository = await memoryRepository();
	const source = wholeSource(noise(5000, 1));
	await assert.rejects(importDisks(repository, []), { code: 'usage', message: /disks/ });
	await assert.rejects(importDisks(repository, [source], { machine: 'Web01' }), { code: 'usage' });
	await assert.rejects(importDisks(repository, [source], { time: '2026-11-20' }), { code: 'usage' });
	await assert.rejects(importDisks(repository, [new SparseSource(0, [])]), { code: 'source_invalid' });
	const fewer = { repository, machine: 'web01', time: second, sources: [source, source], config: sampleConfig };
	await assert.rejects(importMachine(fewer), { code: 'usage', message: /tells of 1 disk\(s\), and 2 are/ });
	const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
	const deep = { ...fewer, sources: [source], facts: { nested: nested(32) } };
	await assert.rejects(importMachine(deep), { code: 'usage', message: /nested too deep/ });
	const elsewhere = { repository: await memoryRepository(), sources: [wholeSource(noise(1, 1))] };
	await importMachine({ ...deep, ...elsewhere, facts: { nested: nested(31) } });
	assert.deepEqual(source.reads, []);
	assert.deepEqual(await keysOf(repository, ''), [keys.header, keys.headerCopy]);
});

test('`importMachine` does not close its sources', async () => {
	let closed = false;
	const source: DiskSource = Object.assign(wholeSource(noise(5000, 1)), {
		close: async () => {
			closed = true;
		},
	});
	await importDisks(await memoryRepository(), [source]);
	assert.equal(closed, false);
});

test('`importMachine` of a source that changed while it was read makes no point', async () => {
	const repository = await memoryRepository();
	const source: DiskSource = Object.assign(wholeSource(noise(5000, 1)), {
		checkUnchanged: async () => {
			throw new RouseError('source_invalid', 'it changed');
		},
	});
	await assert.rejects(importDisks(repository, [source]), { code: 'source_invalid' });
	assert.deepEqual(await keysOf(repository, keys.points), []);
	assert.deepEqual(await keysOf(repository, keys.intents), []);
});

test('`initStore` with chunks that end within a sector is refused', async () => {
	for (const chunkSizeBytes of [5000, 4096 + 256])
		await assert.rejects(memoryRepository(chunkSizeBytes), /multiple of 512/);
});

test('`importMachine` that cannot remove its intent has made its point, and warns', async () => {
	class Keeping extends DamagingStore {
		override async delete(key: string): Promise<void> {
			throw new RouseError('store_unreachable', `cannot delete ${key}`);
		}
	}
	const repository = await memoryRepository(4096, new Keeping());
	const disk = noise(40_000, 1);
	const { warnings } = await importDisks(repository, [wholeSource(disk)]);
	assert.equal(warnings.length, 1);
	assert.match(warnings[0] ?? '', /intents\/.*cannot delete/);
	assert.deepEqual(await readBack(repository), disk);
});
