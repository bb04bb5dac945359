import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { keys } from '../../repository/format/keys.ts';
import { readPoint } from '../../repository/points.ts';
import { StoredDiskReader } from '../../repository/stored-disk.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { DamagingStore, importDisks, memoryRepository, noise, wholeSource } from '../equipment/repositories.ts';

class CountingStore extends DamagingStore {
	reads = 0;
	override read(...asked: Parameters<DamagingStore['read']>): ReturnType<DamagingStore['read']> {
		if (asked[0].startsWith(keys.packs)) this.reads++;
		return super.read(...asked);
	}
}

test('`StoredDiskReader` keeps 4 MiB of chunks, however large they are, those that were asked for last', async () => {
	const store = new CountingStore();
	const chunkBytes = 2 ** 20;
	const repository = await memoryRepository(chunkBytes, store);
	const bytes = noise(6 * chunkBytes, 1);
	const { restorePoint } = await importDisks(repository, [wholeSource(bytes)]);
	const [image] = (await readPoint(repository, 'web01', restorePoint)).manifest.disks;
	assert.ok(image);
	const disk = new StoredDiskReader(new VerifiedChunks(new DirectChunkSource(store)), image);
	const { signal } = new AbortController();
	const isReadAgain = async (chunk: number) => {
		const before = store.reads;
		const found = Buffer.alloc(10);
		await disk.read(chunk * chunkBytes + 5, found, signal);
		assert.deepEqual(found, bytes.subarray(chunk * chunkBytes + 5).subarray(0, 10));
		return store.reads > before;
	};
	for (const chunk of [0, 1, 2, 3]) assert.ok(await isReadAgain(chunk));
	assert.equal(await isReadAgain(0), false);
	assert.ok(await isReadAgain(4));
	assert.equal(await isReadAgain(0), false);
	assert.ok(await isReadAgain(1));
});
