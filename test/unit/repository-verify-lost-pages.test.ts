import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { allPackFooters } from '../../repository/pack-footers.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { verifyRepository } from '../../repository/verify/repository.ts';
import { hookedStore } from '../equipment/hooked-store.ts';
import { collect, importDisks, memoryRepository, noise, SparseSource } from '../equipment/repositories.ts';

const time = '2026-11-20T03:00:00.000Z';

async function findings(repository: Repository): Promise<string[]> {
	const { findings: found } = await verifyRepository(repository);
	return found.map(({ kind, code, key }) => `${kind} ${code} ${key}`).filter(line => !line.includes('pack_unindexed'));
}

async function bytesOf(store: MemoryStore, key: string): Promise<Buffer> {
	const bytes = Buffer.alloc((await store.size(key)) ?? 0);
	await store.read(key, 0, bytes);
	return bytes;
}

test('`verifyRepository` lists all packs once and again, however many pages are lost, and finds them in other packs', async () => {
	const store = new MemoryStore();
	const repository = await memoryRepository(4096, store);
	// Eight pages under the root, some to a pack.
	const pieces = Array.from({ length: 8 }, (_, page) => ({
		offsetBytes: page * 1024 * 4096,
		bytes: noise(4096, page),
	}));
	const source = new SparseSource(8 * 1024 * 4096, pieces);
	const machine = 'sparse';
	await importDisks(repository, [source], { machine, time, packBytes: 1 });
	const { manifest } = await readPoint(repository, machine, time);
	const root = manifest.disks[0]?.root?.packId;
	const footers = await collect(allPackFooters(store, ({ error }) => assert.fail(error)));
	const ofPages = footers.filter(({ kind }) => kind === 'page');
	const leaves = ofPages.filter(({ packId }) => packId !== root);
	let listings = 0;
	const counted = {
		...repository,
		store: hookedStore(store, async (call, prefix) => {
			if (call === 'list' && prefix === keys.packs) listings += 1;
		}),
	};
	assert.deepEqual(await findings(counted), []);
	const whenWhole = listings;
	const lost = new Map<string, Buffer>();
	for (const { packId } of leaves) lost.set(packId, await bytesOf(store, keys.pack(packId)));
	for (const packId of lost.keys()) await store.delete(keys.pack(packId));
	listings = 0;
	assert.deepEqual(await findings(counted), [`damage chunk_missing ${keys.point(machine, time)}`]);
	assert.ok(lost.size > 2 && listings <= whenWhole + 1, `${listings} listings`);
	for (const { packId, chunks, rawBytes } of leaves) {
		const packs = new PackWriter(store, { kind: 'page', packBytes: 1 });
		for (const { digest, offsetBytes, storedBytes } of chunks)
			await packs.append(
				digest,
				lost.get(packId)?.subarray(offsetBytes, offsetBytes + storedBytes) ?? assert.fail(),
				rawBytes,
			);
		await packs.flush();
	}
	listings = 0;
	assert.deepEqual(await findings(counted), []);
	assert.equal(listings, whenWhole);
});
