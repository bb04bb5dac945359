import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { sealJson } from '../../repository/format/sealed-json.ts';
import { fenceImport } from '../../repository/import/fence-import.ts';
import { importMachine } from '../../repository/import/import-machine.ts';
import { listPoints, readPoint, resolvePoint } from '../../repository/points.ts';
import { readPoints } from '../../repository/read-points.ts';
import type { Repository } from '../../repository/repository.ts';
import {
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	wholeSource,
} from '../equipment/repositories.ts';
import { sampleConfig, sampleDisks } from '../equipment/sample-config.ts';

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const otherId = '1b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const machine = 'web01';
const time = '2026-11-20T03:00:00.000Z';
const fenced = { machine, time, importId };

function importAs(repository: Repository, id: string) {
	const config = { ...sampleConfig, disks: sampleDisks(1) };
	const sources = [wholeSource(noise(5000, 1))];
	return importMachine({ repository, machine, time, importId: id, moment: 'then', sources, config });
}

test('`fenceImport` keeps every attempt of the import from publishing, and is no point', async () => {
	const repository = await memoryRepository();
	assert.equal(await fenceImport(repository, fenced), 'fenced');
	assert.equal(await fenceImport(repository, fenced), 'fenced', 'again');
	await assert.rejects(importAs(repository, importId), { code: 'point_exists' });
	await importDisks(repository, [wholeSource(noise(5000, 1))], { time: '2026-11-19T03:00:00.000Z' });
	assert.equal(await resolvePoint(repository, machine, 'latest'), '2026-11-19T03:00:00.000Z');
	assert.equal((await listPoints(repository, machine)).length, 2);
});

test('`fenceImport` of an import that has published says so, and changes nothing', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	const { manifestDigest } = await importAs(repository, importId);
	const before = store.bytesOf(keys.point(machine, time));
	assert.equal(await fenceImport(repository, fenced), 'published');
	assert.deepEqual(store.bytesOf(keys.point(machine, time)), before);
	assert.equal((await importAs(repository, importId)).manifestDigest, manifestDigest);
});

test('`fenceImport` where another import has its point, or its fence, is `point_exists`', async () => {
	const repository = await memoryRepository();
	await importAs(repository, otherId);
	await assert.rejects(fenceImport(repository, fenced), { code: 'point_exists' });
	const other = await memoryRepository();
	await fenceImport(other, { ...fenced, importId: otherId });
	await assert.rejects(fenceImport(other, fenced), { code: 'point_exists' });
});

test('`fenceImport` of what cannot be read there, or of another place, is `format_damaged`: nobody knows whose it is', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await importAs(repository, importId);
	const key = keys.point(machine, time);
	await store.flipByte(key, 30);
	await assert.rejects(fenceImport(repository, fenced), { code: 'format_damaged' });
	await store.repair(key);
	const later = '2026-11-21T03:00:00.000Z';
	await store.replace(keys.point(machine, later), store.bytesOf(key));
	await assert.rejects(fenceImport(repository, { ...fenced, time: later }), { code: 'format_damaged' });
});

test('a fence of another place, or that says more than one does, is damage: it hides no point that was there', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await fenceImport(repository, fenced);
	const repositoryId = repository.id;
	const others = [
		{ ...fenced, repositoryId, machine: 'web02' },
		{ ...fenced, repositoryId },
		{ ...fenced, repositoryId: otherId, time: '2026-11-23T03:00:00.000Z' },
		{ ...fenced, repositoryId, time: '2026-11-24T03:00:00.000Z', disks: [] },
	];
	for (const [day, other] of others.entries())
		await store.putExclusive(keys.point(machine, `2026-11-2${day + 1}T03:00:00.000Z`), sealJson('rouse-fence', other));
	const found = await collect(readPoints(repository));
	assert.deepEqual(
		found.map(({ error }) => error?.code),
		others.map(() => 'format_damaged'),
	);
	const latest = await resolvePoint(repository, machine, 'latest');
	assert.equal(latest, '2026-11-24T03:00:00.000Z', 'never an older one for that');
	await assert.rejects(readPoint(repository, machine, latest), { code: 'format_damaged' });
});

test('`fenceImport` settles what another has put there and may not have come to', async () => {
	class Unsettled extends DamagingStore {
		readonly settled: string[] = [];
		override async settle(prefix: string): Promise<void> {
			this.settled.push(prefix);
		}
	}
	const store = new Unsettled();
	const repository = await memoryRepository(4096, store);
	await fenceImport(repository, fenced);
	store.settled.length = 0;
	await fenceImport(repository, fenced);
	assert.deepEqual(store.settled, [keys.pointsOf(machine)]);
});

test('`fenceImport` where a feature forbids to create is `repository_unsupported`, and creates nothing', async () => {
	const repository = await memoryRepository();
	await repository.store.putExclusive(`${keys.features}write/later`, Buffer.alloc(0));
	await assert.rejects(fenceImport(repository, fenced), { code: 'repository_unsupported' });
	assert.equal(await repository.store.size(keys.point(machine, time)), undefined);
});
