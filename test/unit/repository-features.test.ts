import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayDelete, mayRead, mayWrite } from '../../repository/features.ts';
import { keys } from '../../repository/format/keys.ts';
import { pinPoint } from '../../repository/pins.ts';
import { openStore } from '../../repository/repository.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { DamagingStore, memoryRepository } from '../equipment/repositories.ts';

const empty = Buffer.alloc(0);
const pin = {
	recoveryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
	machine: 'web01',
	restorePoint: '2026-11-20T03:00:00.000Z',
	manifestDigest: 'ab'.repeat(32),
	reason: 'recovery web01-r1',
};

const forbidden: [key: string, what: string][] = [
	['features/read/x', 'read write delete'],
	['features/write/x', 'write'],
	['features/delete/x', 'delete'],
	['features/write/x/y', 'write'],
	['features/x', 'read write delete'],
	['features/other/x', 'read write delete'],
	['features/READ/x', 'read write delete'],
];

for (const [key, what] of forbidden)
	test(`an unknown ${key} forbids to ${what.replaceAll(' ', ', ')}, and is named`, async () => {
		const store = new MemoryStore();
		for (const [word, may] of Object.entries({ read: mayRead, write: mayWrite, delete: mayDelete })) {
			await store.delete(key);
			await may(store);
			await store.putExclusive(key, empty);
			if (what.includes(word))
				await assert.rejects(may(store), { code: 'repository_unsupported', exitCode: 10, details: { feature: key } });
			else await may(store);
		}
	});

test('`openStore` of a repository that must not be read is `repository_unsupported`; of one that must not be written it works', async () => {
	const store = new DamagingStore();
	await memoryRepository(4096, store);
	await store.putExclusive('features/write/x', empty);
	await openStore(store);
	await store.putExclusive('features/read/x', empty);
	await assert.rejects(openStore(store), { code: 'repository_unsupported', message: /features\/read\/x/ });
});

test('`pinPoint` works where nothing else may be written, and asks once more when the pin stands', async () => {
	const store = new DamagingStore();
	const repository = await memoryRepository(4096, store);
	await store.putExclusive('features/write/x', empty);
	await pinPoint(repository, pin);
	await store.putExclusive('features/read/x', empty);
	await assert.rejects(pinPoint(repository, pin), { code: 'repository_unsupported' });
	await store.delete(keys.pin(pin.recoveryId));
	await assert.rejects(pinPoint(repository, pin), { code: 'repository_unsupported' });
	assert.notEqual(await store.size(keys.pin(pin.recoveryId)), undefined);
});
