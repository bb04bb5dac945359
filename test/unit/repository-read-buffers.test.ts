import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChunkRef } from '../../model/chunk.ts';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { keys } from '../../repository/format/keys.ts';
import { MemoryStore } from '../../repository/store/memory.ts';

const packBytes = 40_000;

/** Three packs, each full of its number; reads of the second wait to be let go on. */
class HeldStore extends MemoryStore {
	override readonly properties = { maxParallelReads: 2, readBytes: 64 * 1024 };
	readonly goOn = Promise.withResolvers<void>();
	readonly filled = Promise.withResolvers<void>();

	override async read(...[key, offsetBytes, into]: Parameters<MemoryStore['read']>): Promise<number | undefined> {
		if (key !== keys.pack(refOf(2).packId)) return super.read(key, offsetBytes, into);
		await this.goOn.promise;
		const count = await super.read(key, offsetBytes, into);
		this.filled.resolve();
		return count;
	}
}

function refOf(number: number): ChunkRef {
	return {
		digest: String(number).repeat(64),
		packId: String(number).repeat(32),
		offsetBytes: 0,
		storedBytes: packBytes,
	};
}

for (const how of ['breaks out', 'is aborted'] as const)
	test(`\`DirectChunkSource.ranges\` gives nobody a buffer that a read still fills, of one who ${how}`, async () => {
		const store = new HeldStore();
		for (const number of [1, 2, 3])
			await store.putExclusive(keys.pack(refOf(number).packId), Buffer.alloc(packBytes, number));
		const source = new DirectChunkSource(store);
		const abort = new AbortController();
		const leaving = async () => {
			for await (const _ of source.ranges([1, 2].map(refOf), { class: 'mount', signal: abort.signal }))
				if (how === 'breaks out') break;
				else abort.abort(new Error('enough'));
		};
		if (how === 'breaks out') await leaving();
		else await assert.rejects(leaving(), { message: 'enough' });
		for await (const { bytes } of source.ranges([refOf(3)], { class: 'mount' })) {
			store.goOn.resolve();
			await store.filled.promise;
			assert.ok(bytes.equals(Buffer.alloc(packBytes, 3)));
		}
	});
