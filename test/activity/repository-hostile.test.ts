/** Whoever owns a repository's directory puts other things in the place of its objects. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { keys } from '../../repository/format/keys.ts';
import { listPins, pinPoint } from '../../repository/pins.ts';
import { listMachines, readPoint, resolvePoint } from '../../repository/points.ts';
import { initRepository, openRepository, type Repository } from '../../repository/repository.ts';
import { DirectoryStore } from '../../repository/store/directory.ts';
import { verifyPoint } from '../../repository/verify.ts';

import { temporaryDirectory } from '../equipment/captive.ts';
import { collect, importDisks, noise, wholeSource } from '../equipment/repositories.ts';

const time = '2026-11-20T03:00:00.000Z';
const recoveryId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const damaged = { code: 'format_damaged' };
const pin = { recoveryId, machine: 'web01', restorePoint: time, manifestDigest: 'a'.repeat(64), reason: 'test' };

/** What may lie where an object should. A reader that opens the first waits for ever: the tests end by their deadline. */
const things: Record<string, (t: TestContext, path: string) => Promise<unknown>> = {
	'a pipe': (_t, path) => promisify(execFile)('mkfifo', [path]),
	'a socket': async (t, path) => {
		const server = createServer().listen(path);
		t.after(() => server.close());
		await once(server, 'listening');
	},
	'a device': (_t, path) => symlink('/dev/zero', path),
	'a link to the object itself': async (_t, path) => {
		await rename(`${path}.kept`, `${dirname(path)}/.kept`);
		await symlink('.kept', path);
	},
	'a directory': (_t, path) => mkdir(path),
};

async function machineIn(t: TestContext): Promise<{ directory: string; repository: Repository }> {
	const directory = join(await temporaryDirectory(t), 'repository');
	const repository = await initRepository(directory);
	await importDisks(repository, [wholeSource(noise(1 << 20, 1))]);
	return { directory, repository };
}

/** Keeps the object beside its place, and puts something else there. */
async function exchange(t: TestContext, path: string, thing: string): Promise<void> {
	await mkdir(dirname(path), { recursive: true });
	await rename(path, `${path}.kept`).catch(() => writeFile(`${path}.kept`, ''));
	await things[thing]?.(t, path);
}

for (const thing of Object.keys(things)) {
	test(`${thing} in the place of the header leaves its copy to open the repository by; in the place of both it is \`format_damaged\``, async t => {
		const { directory, repository } = await machineIn(t);
		await repository.store.close();
		await exchange(t, join(directory, keys.header), thing);
		const opened = await openRepository(directory);
		assert.equal(opened.id, repository.id);
		await opened.store.close();
		await exchange(t, join(directory, keys.headerCopy), thing);
		await assert.rejects(openRepository(directory), damaged);
		await assert.rejects(initRepository(directory), { code: 'repository_exists' });
	});

	test(`${thing} in the place of a manifest is \`format_damaged\`, and no older point is the latest`, async t => {
		const { directory, repository } = await machineIn(t);
		await exchange(t, join(directory, keys.point('web01', time)), thing);
		await assert.rejects(readPoint(repository, 'web01', time), damaged);
		if (thing !== 'a directory') assert.equal(await resolvePoint(repository, 'web01', 'latest'), time);
		await repository.store.close();
	});

	test(`${thing} in the place of a pin is \`format_damaged\` to \`pinPoint\``, async t => {
		const { directory, repository } = await machineIn(t);
		await exchange(t, join(directory, keys.pin(recoveryId)), thing);
		await assert.rejects(pinPoint(repository, pin), damaged);
		const { pins, unreadable } = await listPins(repository);
		assert.deepEqual(pins, []);
		// A directory is no object, and what a pin's name is in it nobody looks for.
		assert.equal(unreadable.length, thing === 'a directory' ? 0 : 1);
		await repository.store.close();
	});

	test(`${thing} in the place of a pack is damage of its chunks, and an import goes on without it`, async t => {
		const { directory, repository } = await machineIn(t);
		const point = await readPoint(repository, 'web01', time);
		for await (const { key } of repository.store.list(keys.packs)) await exchange(t, join(directory, key), thing);
		const store = new DirectoryStore(directory);
		const { damaged: found } = await verifyPoint({ ...repository, store }, point);
		assert.ok(found.length > 0 && found.every(({ code }) => code === 'chunk_bad' || code === 'chunk_missing'));
		const again = { time: '2026-11-21T03:00:00.000Z' };
		await importDisks({ ...repository, store }, [wholeSource(noise(1 << 20, 1))], again);
		await store.close();
		await repository.store.close();
	});
}

test('no object is read, written or deleted through a link in the place of a folder', async t => {
	const directory = await temporaryDirectory(t);
	const elsewhere = await temporaryDirectory(t);
	await writeFile(join(elsewhere, 'victim'), 'precious');
	await symlink(elsewhere, join(directory, 'pins'));
	const store = new DirectoryStore(directory);
	await assert.rejects(store.putExclusive('pins/new', Buffer.from('x')), damaged);
	await assert.rejects(store.putExclusive('pins/below/new', Buffer.from('x')), damaged);
	await assert.rejects(store.read('pins/victim', 0, Buffer.alloc(8)), damaged);
	await assert.rejects(store.size('pins/victim'), damaged);
	await assert.rejects(store.delete('pins/victim'), damaged);
	assert.deepEqual(await readdir(elsewhere), ['victim']);
	assert.equal(await readFile(join(elsewhere, 'victim'), 'utf8'), 'precious');
	assert.deepEqual(
		(await collect(store.list(''))).map(({ key }) => key),
		['pins'],
	);
	await store.close();
});

test('names that no key has are not seen', async t => {
	const { directory, repository } = await machineIn(t);
	const long = 'x'.repeat(250);
	for (const name of ['we\u001b[2Jb', 'ü', 'a b', '-x\u202e', long]) {
		await mkdir(join(directory, 'points', name, long), { recursive: true });
		const point = basename(keys.point('web01', time));
		for (const file of [point, join(long, point)]) await writeFile(join(directory, 'points', name, file), '');
	}
	assert.deepEqual(await listMachines(repository), ['web01']);
	const listed = await collect(repository.store.list(''));
	assert.ok(listed.every(({ key }) => /^[\w./-]{1,512}$/.test(key)));
	await repository.store.close();
});

test('an object that is larger than its kind may be is refused by its size, without being read', async t => {
	const { directory, repository } = await machineIn(t);
	const manifest = join(directory, keys.point('web01', time));
	await truncate(manifest, 2 ** 40);
	await assert.rejects(readPoint(repository, 'web01', time), {
		...damaged,
		message: /has 1\.00 TiB, and may have 8\.00 MiB at most/,
	});
	await rm(manifest);
	await truncate(join(directory, keys.header), 2 ** 40);
	await rm(join(directory, keys.headerCopy));
	await assert.rejects(openRepository(directory), {
		...damaged,
		message: /has 1\.00 TiB, and may have 64\.0 KiB at most/,
	});
	await repository.store.close();
});
