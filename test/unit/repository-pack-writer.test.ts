import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { digestOf } from '../../repository/format/digest.ts';
import { keys } from '../../repository/format/keys.ts';
import { PackWriter } from '../../repository/import/pack-writer.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { readPackFooter } from '../../repository/pack-footers.ts';
import { type Calls, WatchedStore } from '../equipment/mortal-store.ts';
import { collect, noise } from '../equipment/repositories.ts';

/** More than a piece: it is written as soon as it is appended. */
const stored = noise(1024 * 1024, 1);
const digest = '5'.repeat(64);

/** A writer whose first piece is held back while somebody else flushes: as a page pack that is full does. */
async function flushedMeanwhile(whenLetGo: () => void): Promise<{
	store: MemoryStore;
	calls: string[];
	outcomes: PromiseSettledResult<unknown>[];
	packId: string;
}> {
	const store = new MemoryStore();
	const calls: string[] = [];
	const held = Promise.withResolvers<void>();
	const watch: Calls = {
		before: async call => {
			const what = call.split(' ')[0] ?? '';
			calls.push(`${what} begins`);
			if (what !== 'append' || calls.filter(other => other === 'append begins').length > 1) return;
			await held.promise;
			whenLetGo();
		},
		after: async call => {
			calls.push(`${call.split(' ')[0]} ends`);
		},
	};
	let packId = '';
	const packs = new PackWriter(new WatchedStore(store, watch), {
		kind: 'chunk',
		packBytes: 1e9,
		onStored: async ({ footer }) => {
			packId = footer.packId;
		},
	});
	const appended = packs.append(digest, stored, stored.length);
	while (!calls.includes('append begins')) await setImmediate();
	const flushed = packs.flush();
	await setImmediate();
	held.resolve();
	const outcomes = await Promise.allSettled([appended, flushed]);
	await packs.abandon();
	return { store, calls, outcomes, packId };
}

test('`PackWriter` that is flushed while it writes a piece closes the pack behind that piece', async () => {
	const { store, calls, outcomes, packId } = await flushedMeanwhile(() => {});
	assert.deepEqual(
		outcomes.map(({ status }) => status),
		['fulfilled', 'fulfilled'],
	);
	const one = (call: string) => [`${call} begins`, `${call} ends`];
	assert.deepEqual(calls, [...one('create'), ...one('append'), ...one('append'), ...one('finish')]);
	const [pack] = await collect(store.list(keys.packs));
	assert.ok(pack);
	const footer = await readPackFooter(store, { packId, sizeBytes: pack.sizeBytes });
	assert.deepEqual(footer?.chunks, [{ digest, offsetBytes: 0, storedBytes: stored.length }]);
});

test('`PackWriter` that could not write a piece publishes nothing of that pack, whoever flushes', async () => {
	const full = new RouseError('space_short', 'no space is left');
	const { store, outcomes } = await flushedMeanwhile(() => {
		throw full;
	});
	for (const outcome of outcomes) assert.equal(outcome.status === 'rejected' && outcome.reason, full);
	assert.deepEqual(await collect(store.list('')), []);
});

test('`PackWriter.append` to an open pack has copied a chunk before it waits: what it lay in may be used again at once', async () => {
	const store = new MemoryStore();
	const packIds: string[] = [];
	const packs = new PackWriter(store, {
		kind: 'chunk',
		packBytes: 1e9,
		onStored: async ({ footer }) => {
			packIds.push(footer.packId);
		},
	});
	await packs.append(digest, noise(100, 1), 100); // from here on there is an open pack
	const chunks = [noise(2_500_000, 2), noise(700_000, 3), noise(900_000, 4)];
	for (const chunk of chunks) {
		const slab = Buffer.from(chunk);
		const appended = packs.append(digest, slab, slab.length);
		slab.fill(0xee);
		await appended;
	}
	await packs.flush();
	const [packId = ''] = packIds;
	const data = Buffer.concat([noise(100, 1), ...chunks]);
	const found = Buffer.alloc(data.length);
	await store.read(keys.pack(packId), 0, found);
	assert.ok(found.equals(data));
	const sizeBytes = (await store.size(keys.pack(packId))) ?? 0;
	assert.deepEqual((await readPackFooter(store, { packId, sizeBytes }))?.dataDigest, digestOf(data));
});
