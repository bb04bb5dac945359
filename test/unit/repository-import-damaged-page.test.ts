import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { readPoint } from '../../repository/points.ts';
import type { Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { WatchedStore } from '../equipment/mortal-store.ts';
import {
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
