import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { allPackFooters } from '../../repository/pack-footers.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { WatchedStore } from '../equipment/mortal-store.ts';
import {
	collect,
	DamagingStore,
	importDisks,
	memoryRepository,
	noise,
	SparseSource,
	wholeSource,
} from '../equipment/repositories.ts';

const first = '2026-11-20T03:00:00.000Z';
const second = '2026-11-21T03:00:00.000Z';

async function rootOf(repository: Repository, machine: string, time: string): Promise<ChunkRef> {
	const { root } = (await readPoint(repository, machine, time)).manifest.disks[0] ?? {};
	return root ?? assert.fail();
}

/** The digest of what is on its disk, which can be read. */
async function contentOf(repository: Repository, time: string): Promise<string> {
	const point = await readPoint(repository, 'web01', time);
	assert.deepEqual((await verifyPoint(repository, point)).damaged, []);
	return point.manifest.disks[0]?.contentDigest ?? assert.fail();
}

test('`importMachine` onto a point whose root page is damaged looks for that page once, and not for each chunk', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	// Apart from each other, so that each is a read of its own.
	const pieces = Array.from({ length: 30 }, (_, seed) => ({ offsetBytes: seed * 3 * 4096, bytes: noise(4096, seed) }));
	const source = () => new SparseSource(90 * 4096, pieces);
	await importDisks(repository, [source()]);
	const before = await contentOf(repository, first);
	const root = await rootOf(repository, 'web01', first);
	await store.flipByte(keys.pack(root.packId), root.offsetBytes + 100);
	let looks = 0;
	const calls = {
		before: async (call: string) => {
			if (call === `read ${keys.pack(root.packId)}`) looks++;
		},
		after: async () => {},
	};
	const watched = { ...repository, store: new WatchedStore(store, calls) };
	const { newBytes } = await importDisks(watched, [source()], { time: second });
	assert.equal(newBytes, 0, 'the chunks are known all the same');
	assert.ok(looks < 20, `its pack was read ${looks} times for 30 chunks`);
	assert.equal(await contentOf(repository, second), before);
});

test('`importMachine` onto a point that has lost its pages looks for some of them, and leaves the rest to the indexes', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	// One chunk under each of 30 pages.
	const pieces = Array.from({ length: 30 }, (_, seed) => ({ offsetBytes: seed * 2 ** 22, bytes: noise(4096, seed) }));
	const source = () => new SparseSource(30 * 2 ** 22, pieces);
	await importDisks(repository, [source()]);
	const before = await contentOf(repository, first);
	const root = await rootOf(repository, 'web01', first);
	const leaves: string[] = [];
	for (const { packId, kind, chunks } of await collect(allPackFooters(store, () => {})))
		for (const { digest, offsetBytes } of kind === 'page' ? chunks : [])
			if (digest !== root.digest) {
				leaves.push(digest);
				const bytes = store.bytesOf(keys.pack(packId));
				await store.read(keys.pack(packId), 0, bytes); // as the page before this one has left it
				await store.replace(keys.pack(packId), bytes.fill(0, offsetBytes + 50, offsetBytes + 60));
			}
	assert.equal(leaves.length, 30);
	let listings = 0;
	const calls = {
		before: async (call: string) => {
			if (call === `list ${keys.packs}`) listings++;
		},
		after: async () => {},
	};
	const watched = { ...repository, store: new WatchedStore(store, calls) };
	const { newBytes } = await importDisks(watched, [source()], { time: second });
	assert.equal(newBytes, 0, 'the chunks are known all the same');
	assert.equal(await contentOf(repository, second), before);
	assert.ok(listings < 30, `all packs were listed ${listings} times`);
});

test('`importMachine` does not rely on the place of a page that it read from another one', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	const disk = noise(60_000, 1);
	const rootOfNew = async (machine: string) => {
		await importDisks(repository, [wholeSource(disk)], { machine });
		return rootOf(repository, machine, first);
	};
	const { digest, packId, offsetBytes, storedBytes } = await rootOfNew('web01');
	const packs = new PackWriter(store, { kind: 'page', packBytes: 1e6 });
	const pack = store.bytesOf(keys.pack(packId));
	await packs.append(digest, pack.subarray(offsetBytes, offsetBytes + storedBytes), 1);
	await packs.flush();
	const chosen = await rootOfNew('web02');
	await store.flipByte(keys.pack(chosen.packId), chosen.offsetBytes + 100);
	const other = await rootOfNew('web03');
	assert.equal(other.digest, digest);
	assert.notDeepEqual(other, chosen);
});
