import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { canonicalJson } from '../../repository/format/sealed-json.ts';
import { sha256Of } from '../../repository/format/sha256.ts';
import { fenceImport } from '../../repository/import/fence-import.ts';
import { listPins, pinPoint, unpinPoint } from '../../repository/pins.ts';
import { listMachines, listPoints, readPoint, resolvePoint } from '../../repository/points.ts';
import { readChosenPoint, readPoints } from '../../repository/read-points.ts';
import { openStore } from '../../repository/repository.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { repositoryStatistics } from '../../repository/statistics.ts';
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

const times = ['2026-11-20T03:00:00.000Z', '2026-11-20T03:00:30.000Z', '2026-11-21T03:00:00.000Z'];

async function repositoryWithPoints(store = new DamagingStore()) {
	const repository = await memoryRepository(4096, store);
	for (const [seed, time] of times.entries()) await importDisks(repository, [wholeSource(noise(9000, seed))], { time });
	await importDisks(repository, [wholeSource(noise(9000, 9))], { machine: 'db01' });
	return repository;
}

test('`listMachines` and `listPoints` give them in order', async () => {
	const repository = await repositoryWithPoints();
	assert.deepEqual(await listMachines(repository), ['db01', 'web01']);
	assert.deepEqual(await listPoints(repository, 'web01'), times);
	assert.deepEqual(await listPoints(repository, 'web0'), []);
});

test('`resolvePoint` finds a point by latest, by its time, and by a prefix that fits one', async () => {
	const repository = await repositoryWithPoints();
	assert.equal(await resolvePoint(repository, 'web01', 'latest'), times[2]);
	assert.equal(await resolvePoint(repository, 'web01', '2026-11-20T03:00:30.000Z'), times[1]);
	assert.equal(await resolvePoint(repository, 'web01', '2026-11-21'), times[2]);
	assert.equal(await resolvePoint(repository, 'web01', '2026-11-20T03:00:30Z'), times[1]);
});

test('`resolvePoint` of what names no point, or several, says what there is', async () => {
	const repository = await repositoryWithPoints();
	await assert.rejects(resolvePoint(repository, 'web01', '2026-11-20'), {
		code: 'point_ambiguous',
		hint: /03:00:30\.000Z, 2026-11-20T03:00:00\.000Z/,
	});
	await assert.rejects(resolvePoint(repository, 'web01', '2027'), { code: 'point_unknown', hint: /2026-11-21/ });
	await assert.rejects(resolvePoint(repository, 'web02', 'latest'), { code: 'machine_unknown', hint: /db01, web01/ });
	await assert.rejects(readPoint(repository, 'web01', '2027-01-01T00:00:00.000Z'), { code: 'point_unknown' });
});

test('`readPoint` of a manifest under the name of another point is `format_damaged`', async () => {
	const store = new DamagingStore();
	const repository = await repositoryWithPoints(store);
	await store.replace(keys.point('web01', times[0]!), store.bytesOf(keys.point('db01', times[0]!)));
	await assert.rejects(readPoint(repository, 'web01', times[0]!), { code: 'format_damaged', message: /db01/ });
});

test('`openStore` of a store without a header is `repository_missing`, exit code 10', async () => {
	await assert.rejects(openStore(new MemoryStore()), { code: 'repository_missing', exitCode: 10 });
});

test('`verifyPoint` of a whole point counts every chunk and finds no damage', async () => {
	const repository = await memoryRepository();
	const disks = [
		wholeSource(noise(4096 * 3000 + 5, 1)),
		new SparseSource(1e12, [{ offsetBytes: 5e11, bytes: noise(4096, 2) }]),
	];
	await importDisks(repository, disks);
	const result = await verifyPoint(repository, await readPoint(repository, 'web01', times[0]!));
	assert.deepEqual(result.damaged, []);
	assert.equal(result.verifiedBytes, 4096 * 3000 + 5 + 2 * 4096);
	assert.equal(result.chunks, 3003);
});

test('`verifyPoint` names each damaged chunk and goes on to the end', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await importDisks(repository, [new SparseSource(8192, []), wholeSource(noise(40 * 4096, 1))], { packBytes: 1e6 });
	const point = await readPoint(repository, 'web01', times[0]!);
	const packId = point.manifest.disks[1]?.root?.packId;
	const dataPack = (await keysOf(store)).find(key => key.startsWith(keys.packs) && !key.endsWith(packId ?? '?'));
	assert.ok(dataPack);
	const pack = store.bytesOf(dataPack);
	const storedBytes = 4 + 36 + 4096;
	for (const index of [3, 4, 20]) pack.fill(0, index * storedBytes + 50, index * storedBytes + 60);
	await store.replace(dataPack, pack);
	const { damaged, chunks } = await verifyPoint(repository, point);
	assert.equal(chunks, 37);
	assert.deepEqual(
		damaged.map(({ disk, kind, index, count, offsetBytes, code }) => ({ disk, kind, index, count, offsetBytes, code })),
		[3, 4, 20].map(index => ({
			disk: 1,
			kind: 'chunk',
			index,
			count: 1,
			offsetBytes: index * storedBytes,
			code: 'chunk_bad',
		})),
	);
	assert.equal(damaged[0]?.packId, dataPack.slice(-32));
});

test('`verifyPoint` names a pack that is gone, chunk by chunk', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await importDisks(repository, [wholeSource(noise(10 * 4096, 1))], { packBytes: 1e6 });
	const point = await readPoint(repository, 'web01', times[0]!);
	for (const key of await keysOf(store))
		if (key.startsWith(keys.packs) && !key.endsWith(point.manifest.disks[0]?.root?.packId ?? ''))
			await store.delete(key);
	const { damaged } = await verifyPoint(repository, point);
	assert.deepEqual(
		damaged.map(({ code, index }) => `${code} ${index}`),
		Array.from({ length: 10 }, (_, index) => `chunk_missing ${index}`),
	);
});

test('`verifyPoint` names a damaged page with the chunks under it', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await importDisks(repository, [wholeSource(noise(10 * 4096, 1))]);
	const point = await readPoint(repository, 'web01', times[0]!);
	const root = point.manifest.disks[0]?.root;
	assert.ok(root);
	await store.flipByte(keys.pack(root.packId), root.offsetBytes + Math.floor(root.storedBytes / 2));
	const { damaged } = await verifyPoint(repository, point);
	assert.deepEqual(
		damaged.map(({ kind, index, count, digest }) => ({ kind, index, count, digest })),
		[{ kind: 'page', index: 0, count: 10, digest: root.digest }],
	);
});

test('`verifyPoint` sees a manifest whose pages are those of another disk', async () => {
	const repository = await memoryRepository();
	await importDisks(repository, [wholeSource(noise(40_000, 1)), wholeSource(noise(40_000, 2))]);
	const point = await readPoint(repository, 'web01', times[0]!);
	const [one, two] = point.manifest.disks;
	assert.ok(one && two);
	const swapped = { ...point, manifest: { ...point.manifest, disks: [{ ...one, root: two.root }] } };
	const { damaged } = await verifyPoint(repository, swapped);
	assert.deepEqual(
		damaged.map(({ kind }) => kind),
		['content'],
	);
});

async function keysOf(store: DamagingStore): Promise<string[]> {
	const found: string[] = [];
	for await (const { key } of store.list('')) found.push(key);
	return found;
}

const pin = {
	recoveryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
	machine: 'web01',
	restorePoint: times[0]!,
	manifestDigest: 'ab'.repeat(32),
	reason: 'recovery web01-r1',
};

test('`pinPoint` and `unpinPoint` can each be done twice', async () => {
	const repository = await memoryRepository();
	await pinPoint(repository, pin);
	await pinPoint(repository, pin);
	assert.deepEqual(
		(await listPins(repository)).pins.map(standing => ({ ...standing, pinnedAt: '' })),
		[{ ...pin, pinnedAt: '' }],
	);
	await unpinPoint(repository, pin.recoveryId);
	await unpinPoint(repository, pin.recoveryId);
	assert.deepEqual(await listPins(repository), { pins: [], unreadable: [] });
});

test('`pinPoint` sets the pin also when the one that stood is taken away at that moment', async () => {
	class UnpinnedMeanwhile extends MemoryStore {
		override async putExclusive(key: string, data: Uint8Array): Promise<boolean> {
			const put = await super.putExclusive(key, data);
			if (!put) await this.delete(key);
			return put;
		}
	}
	const repository = await memoryRepository(4096, new UnpinnedMeanwhile());
	await pinPoint(repository, pin);
	await pinPoint(repository, pin);
	assert.equal((await listPins(repository)).pins.length, 1);
});

test('`listPins` names a pin that is damaged, or of a later version, beside the others', async () => {
	const repository = await memoryRepository();
	await pinPoint(repository, pin);
	const [damaged, later] = [randomUUID(), randomUUID()];
	await repository.store.putExclusive(keys.pin(damaged), Buffer.from('{}'));
	const ofLater = { type: 'rouse-pin', version: 2 };
	const checksum = sha256Of(Buffer.from(canonicalJson(ofLater)));
	await repository.store.putExclusive(keys.pin(later), Buffer.from(canonicalJson({ ...ofLater, checksum })));
	const { pins, unreadable } = await listPins(repository);
	assert.deepEqual(
		pins.map(({ recoveryId }) => recoveryId),
		[pin.recoveryId],
	);
	assert.deepEqual(unreadable.map(({ recoveryId }) => recoveryId).toSorted(), [damaged, later].toSorted());
	assert.ok(unreadable.every(({ reason }) => reason !== ''));
});

test('`pinPoint` of a second point for one recovery is refused', async () => {
	const repository = await memoryRepository();
	await pinPoint(repository, pin);
	await assert.rejects(pinPoint(repository, { ...pin, manifestDigest: 'cd'.repeat(32) }), {
		code: 'identity_conflict',
	});
});

test('`repositoryStatistics` counts points, packs, chunks, pins and bytes', async () => {
	const repository = await repositoryWithPoints();
	await pinPoint(repository, pin);
	const statistics = await repositoryStatistics(repository);
	assert.equal(statistics.machines, 2);
	assert.equal(statistics.points, 4);
	assert.equal(statistics.disksBytes, 36_000);
	assert.equal(statistics.dataBytes, 36_000);
	assert.equal(statistics.packs, 8);
	assert.equal(statistics.chunks, 4 * (3 + 1));
	assert.equal(statistics.pins, 1);
	assert.equal(statistics.intents, 0);
	assert.ok(statistics.storedBytes > 36_000);
	assert.deepEqual(statistics.unreadablePacks, []);
});

test('`readPoints` tells of a point that is damaged beside the others, and passes a fence by', async () => {
	const store = new DamagingStore();
	const repository = await repositoryWithPoints(store);
	await store.flipByte(keys.point('web01', times[1]!), 40);
	const fenced = { machine: 'web01', time: '2026-11-22T03:00:00.000Z', importId: repository.id };
	assert.equal(await fenceImport(repository, fenced), 'fenced');
	const found = await collect(readPoints(repository));
	assert.deepEqual(
		found.map(({ machine, time, error }) => `${machine} ${time} ${error?.code ?? 'read'}`),
		[`db01 ${times[0]} read`, `web01 ${times[0]} read`, `web01 ${times[1]} format_damaged`, `web01 ${times[2]} read`],
	);
	assert.equal(await resolvePoint(repository, 'web01', 'latest'), times[2]);
	assert.equal((await collect(readPoints(repository, 'db01'))).length, 1);
	const { points, machines, unreadablePoints, disksBytes } = await repositoryStatistics(repository);
	assert.deepEqual([points, machines, disksBytes], [4, 2, 27_000]);
	assert.partialDeepStrictEqual(unreadablePoints, [{ machine: 'web01', restorePoint: times[1] }]);
	const { newBytes } = await importDisks(repository, [wholeSource(noise(9000, 2))], {
		time: '2026-11-23T03:00:00.000Z',
	});
	assert.equal(newBytes, 0); // the fence was no base, and no hindrance
});

test('the latest point that is damaged is refused, and the one before it is named, never taken', async () => {
	const store = new DamagingStore();
	const repository = await repositoryWithPoints(store);
	for (const time of times.slice(1)) await store.flipByte(keys.point('web01', time), 40);
	const latest = await resolvePoint(repository, 'web01', 'latest');
	assert.equal(latest, times[2]);
	await assert.rejects(readChosenPoint(repository, 'web01', latest), {
		code: 'format_damaged',
		message: /^web01@2026-11-21T03:00:00\.000Z cannot be read: /,
		hint: /say web01@2026-11-20T03:00:00\.000Z to take that one$/,
		details: { machine: 'web01', restorePoint: times[2], before: times[0] },
	});
	await store.flipByte(keys.point('web01', times[0]!), 40);
	await assert.rejects(readChosenPoint(repository, 'web01', latest), { hint: /no earlier point that can be read$/ });
});

test('`verifyPoint` names a pack whose footer is damaged, though every chunk of it is right', async () => {
	const store = new DamagingStore();
	const repository = await repositoryWithPoints(store);
	const point = await readPoint(repository, 'web01', times[0]!);
	const { packId } = point.manifest.disks[0]?.root ?? assert.fail();
	await store.flipByte(keys.pack(packId), store.bytesOf(keys.pack(packId)).length - 1);
	const { damaged, damagedFooters } = await verifyPoint(repository, point);
	assert.deepEqual(damaged, []);
	assert.partialDeepStrictEqual(damagedFooters, [{ packId, code: 'format_damaged' }]);
});
