import assert from 'node:assert/strict';
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { storeChecks } from '../../repository/store/conformance.ts';
import type { Store } from '../../repository/store/contract.ts';
import { DirectoryStore } from '../../repository/store/directory.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const stores: Record<string, (t: TestContext) => Promise<Store>> = {
	DirectoryStore: async t => new DirectoryStore(await temporaryDirectory(t)),
	MemoryStore: async () => new MemoryStore(),
};

for (const [name, make] of Object.entries(stores))
	describe(name, () => {
		for (const check of storeChecks)
			test(check.name, async t => {
				const store = await make(t);
				try {
					await check.run(store);
				} finally {
					await store.close();
				}
			});
	});

test('a file that a crash left half written is not listed', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	await store.putExclusive('packs/a', Buffer.from('whole'));
	await writeFile(join(directory, 'packs', 'b.0011.rouse-tmp'), 'half');
	const keys = [];
	for await (const { key } of store.list('')) keys.push(key);
	assert.deepEqual(keys, ['packs/a']);
	await store.close();
});

test('a directory that is gone is unreachable, and writing does not make it anew', async t => {
	const directory = join(await temporaryDirectory(t), 'repository');
	await mkdir(directory);
	const store = new DirectoryStore(directory);
	await rm(directory, { recursive: true });
	await assert.rejects(store.putExclusive('a/b/c', Buffer.from('x')), { code: 'store_unreachable' });
	await assert.rejects(store.list('')[Symbol.asyncIterator]().next(), { code: 'store_unreachable' });
	await store.close();
});

test('a file put back under its name is seen without a new start', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	await store.putExclusive('pack', Buffer.from('bad'));
	const into = Buffer.alloc(3);
	assert.equal(await store.read('pack', 0, into), 3);
	await writeFile(join(directory, 'repaired'), 'yes');
	await rename(join(directory, 'repaired'), join(directory, 'pack'));
	const deadline = performance.now() + 5000;
	while (into.toString() !== 'yes' && performance.now() < deadline) await store.read('pack', 0, into);
	assert.equal(into.toString(), 'yes');
	await store.close();
});

test('open files are closed', async t => {
	const descriptors = async () => (await readdir('/proc/self/fd')).length;
	const before = await descriptors();
	const store = new DirectoryStore(await temporaryDirectory(t));
	for (let number = 0; number < 100; number++) {
		await store.putExclusive(`packs/${number}`, Buffer.from('x'));
		await store.read(`packs/${number}`, 0, Buffer.alloc(1));
	}
	await store.close();
	assert.ok((await descriptors()) <= before + 2, `${await descriptors()} open, ${before} before`);
});

test('bytes that the medium has lost are io_failed, and no store that is away', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	await symlink('/proc/self/mem', join(directory, 'pack')); // nothing is mapped at 0: every read there is EIO
	await assert.rejects(store.read('pack', 0, Buffer.alloc(10)), { code: 'io_failed', message: /EIO/ });
	await store.close();
});
