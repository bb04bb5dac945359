import assert from 'node:assert/strict';
import { existsSync, linkSync, readdirSync, statSync } from 'node:fs';
import fs, { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { storeChecks } from '../../repository/store/conformance.ts';
import type { Store } from '../../repository/store/contract.ts';
import { DirectoryStore } from '../../repository/store/directory.ts';
import { MemoryStore } from '../../repository/store/memory.ts';
import { waitFor } from '../../system/wait.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { collect } from '../equipment/repositories.ts';
import { TestClock } from '../equipment/test-clock.ts';

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
	const clock = new TestClock();
	const store = new DirectoryStore(directory, clock);
	await store.putExclusive('pack', Buffer.from('bad'));
	const into = Buffer.alloc(3);
	assert.equal(await store.read('pack', 0, into), 3);
	await writeFile(join(directory, 'repaired'), 'yes');
	await rename(join(directory, 'repaired'), join(directory, 'pack'));
	clock.ms += 1000;
	await store.read('pack', 0, into);
	assert.equal(into.toString(), 'yes');
	await store.close();
});

test('`DirectoryStore.putExclusive` that is aborted while it writes does not write all, and leaves no file', async t => {
	const directory = await temporaryDirectory(t);
	const packs = join(directory, 'packs');
	const kept = join(directory, 'kept');
	const store = new DirectoryStore(directory);
	const abort = new AbortController();
	const content = Buffer.alloc(64 * 1024 * 1024, 1);
	const putting = store.putExclusive('packs/a', content, abort.signal);
	// In one go: it writes piece by piece, and begins none meanwhile.
	const begun = () => {
		const [name] = existsSync(packs) ? readdirSync(packs) : [];
		if (name === undefined || statSync(join(packs, name)).size === 0) return false;
		linkSync(join(packs, name), kept); // what was written can be seen after it was removed
		abort.abort(new Error('given up'));
		return true;
	};
	await waitFor('the first bytes', begun, { timeoutMs: 20_000, everyMs: 1 });
	await assert.rejects(putting, { message: 'given up' });
	assert.ok((await stat(kept)).size < content.length);
	assert.deepEqual(await readdir(packs), []);
	await store.close();
});

for (const [what, call] of [
	['writing', 'writeFile'],
	['syncing', 'sync'],
] as const)
	test(`\`DirectoryStore.putExclusive\` that is aborted after ${what} gives the file no name`, async t => {
		const directory = await temporaryDirectory(t);
		const store = new DirectoryStore(directory);
		await store.putExclusive('packs/a', Buffer.from('content')); // syncs the directories that it makes
		const abort = new AbortController();
		const file = await open(join(directory, 'packs', 'a'));
		await file.close();
		const prototype = Object.getPrototypeOf(file);
		const original = prototype[call];
		const calls = t.mock.method(prototype, call, async function (this: unknown, ...given: unknown[]) {
			await original.apply(this, given);
			abort.abort(new Error('given up'));
		}).mock;
		const syncs = call === 'writeFile' ? t.mock.method(prototype, 'sync').mock : undefined;
		await assert.rejects(store.putExclusive('packs/b', Buffer.from('content'), abort.signal), { message: 'given up' });
		assert.equal(calls.callCount(), 1);
		assert.equal(syncs?.callCount() ?? 0, 0);
		assert.deepEqual(await readdir(join(directory, 'packs')), ['a']);
		await store.close();
	});

test('`DirectoryStore.read` that is aborted ends before its next system call, and no other read of the file does', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	await writeFile(join(directory, 'pack'), Buffer.alloc(1024 * 1024, 7));
	const abort = new AbortController();
	const into = Buffer.alloc(1024 * 1024);
	const reads = [store.read('pack', 0, Buffer.alloc(1024 * 1024)), store.read('pack', 0, into, abort.signal)];
	abort.abort(new Error('given up'));
	const [other, given] = await Promise.allSettled(reads);
	assert.deepEqual([other?.status, given?.status], ['fulfilled', 'rejected']);
	assert.ok(into.every(byte => byte === 0));
	assert.equal(await store.read('pack', 0, into), into.length);
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

test('what could not be removed, or made durable, leaves no file open', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	const before = readdirSync('/proc/self/fd').length;
	const writer = await store.create('packs/a');
	const [temporary] = readdirSync(join(directory, 'packs'));
	assert.ok(temporary);
	await rm(join(directory, 'packs', temporary));
	await mkdir(join(directory, 'packs', temporary)); // which `rm` of a file refuses
	await assert.rejects(writer.abandon());
	// The kernel's own folders cannot be synced: fsync(2), EINVAL.
	await assert.rejects(new DirectoryStore('/proc/self').create('task/a'), { code: 'io_failed' });
	assert.equal(readdirSync('/proc/self/fd').length, before);
	await store.close();
});

test('`DirectoryStore.forget` removes a folder without objects, which can be made again', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	for (const _ of [1, 2]) {
		await store.putExclusive('journal/a/0', Buffer.from('x'));
		await store.forget('journal/a/');
		assert.equal(await store.size('journal/a/0'), 1);
		await store.delete('journal/a/0');
		await writeFile(join(directory, 'journal', 'a', '1.0011.rouse-tmp'), 'half');
		await store.forget('journal/a/');
		await store.forget('journal/a/');
		assert.deepEqual(await readdir(join(directory, 'journal')), []);
	}
	await store.close();
});

test('bytes that the medium has lost are io_failed, and no store that is away', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	await store.putExclusive('pack', Buffer.from('content'));
	const file = await open(join(directory, 'pack'));
	await file.close();
	// As Node throws what read(2) says of a bad sector.
	t.mock.method(Object.getPrototypeOf(file), 'read', async () => {
		throw Object.assign(new Error('EIO: i/o error, read'), { errno: -5, code: 'EIO', syscall: 'read' });
	});
	await assert.rejects(store.read('pack', 0, Buffer.alloc(10)), { code: 'io_failed', message: /EIO/ });
	await store.close();
});

test('an object of which the medium has lost what it is, is io_failed, listed as an empty one, and hides no other', async t => {
	const directory = await temporaryDirectory(t);
	const store = new DirectoryStore(directory);
	for (const key of ['packs/a', 'packs/b', 'packs/c']) await store.putExclusive(key, Buffer.from(key));
	const { lstat } = fs;
	t.mock.method(fs, 'lstat', async (path: string) => {
		// As Node throws what lstat(2) says of an inode that cannot be read: EIO, or EUCLEAN, which libuv does not name.
		const isLost = path.endsWith('/b');
		if (isLost) throw Object.assign(new Error('Unknown system error -117, lstat'), { errno: -117, syscall: 'lstat' });
		return lstat(path);
	});
	syncBuiltinESMExports();
	try {
		await assert.rejects(store.size('packs/b'), { code: 'io_failed', message: /-117/ });
		await assert.rejects(store.read('packs/b', 0, Buffer.alloc(7)), { code: 'io_failed' });
		assert.equal(await store.size('packs/a'), 7);
		assert.deepEqual(await collect(store.list('')), [
			{ key: 'packs/a', sizeBytes: 7 },
			{ key: 'packs/b', sizeBytes: 0 },
			{ key: 'packs/c', sizeBytes: 7 },
		]);
	} finally {
		t.mock.restoreAll();
		syncBuiltinESMExports();
		await store.close();
	}
});
