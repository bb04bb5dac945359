import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { renameSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { DirectChunkSource } from '../../repository/direct-chunk-source.ts';
import { VerifiedChunks } from '../../repository/verified-chunks.ts';
import { exportRaw } from '../../exports/raw.ts';
import { keys } from '../../repository/format/keys.ts';
import { listPoints, readPoint } from '../../repository/points.ts';
import { initRepository, openRepository, type Repository } from '../../repository/repository.ts';
import { verifyPoint } from '../../repository/verify.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { childDisk } from '../equipment/import-child.ts';
import { collect, importDisks, noise, SparseSource, wholeSource } from '../equipment/repositories.ts';

const time = '2026-11-20T03:00:00.000Z';
const run = promisify(execFile);
const child = new URL('../equipment/import-child.ts', import.meta.url).pathname;

async function repositoryIn(t: TestContext): Promise<Repository> {
	const repository = await initRepository(join(await temporaryDirectory(t), 'repository'), { chunkSizeBytes: 65536 });
	t.after(() => repository.store.close());
	return repository;
}

async function exported(t: TestContext, repository: Repository): Promise<string> {
	const path = join(await temporaryDirectory(t), 'disk.raw');
	const { manifest } = await readPoint(repository, 'web01', time);
	await exportRaw(new VerifiedChunks(new DirectChunkSource(repository.store)), manifest.disks[0]!, path);
	return path;
}

/** Where to kill, and how much of the 24 MiB may be new again: what was in packs that were not published yet. */
const deaths = [
	['intent', 1, 24],
	['progress', 14, 24 - 4],
	['disk', 1, 9],
	['data', 1, 0],
	['pages', 1, 0],
] as const;

for (const [place, count, newMiB] of deaths)
	test(`an import killed at ${place} leaves no point, and the next one uses what was stored`, async t => {
		const repository = await repositoryIn(t);
		await assert.rejects(run(process.execPath, [child, repository.location, place, String(count)]), {
			signal: 'SIGKILL',
		});
		assert.deepEqual(await listPoints(repository, 'web01'), []);

		const again = await importDisks(repository, [wholeSource(childDisk())], { packBytes: 4 * 1024 * 1024 });
		assert.ok(again.newBytes <= newMiB * 1024 * 1024, `${again.newBytes} bytes new, expected up to ${newMiB} MiB`);
		assert.deepEqual(again.unreadablePacks, []);
		assert.deepEqual((await verifyPoint(repository, await readPoint(repository, 'web01', time))).damaged, []);
		assert.ok((await readFile(await exported(t, repository))).equals(childDisk()));
	});

test('an import killed after its manifest has made the point', async t => {
	const repository = await repositoryIn(t);
	await assert.rejects(run(process.execPath, [child, repository.location, 'manifest', '1']), { signal: 'SIGKILL' });
	assert.deepEqual((await verifyPoint(repository, await readPoint(repository, 'web01', time))).damaged, []);
	assert.equal(
		(await collect(repository.store.list(keys.intents))).length,
		1,
		'prune is told that an import was under way',
	);
});

test('two processes that import at once end with two sound points', async t => {
	const repository = await repositoryIn(t);
	const inChild = run(process.execPath, [child, repository.location]);
	const here = importDisks(repository, [wholeSource(childDisk())], { machine: 'db01', packBytes: 4 * 1024 * 1024 });
	await Promise.all([inChild, here]);
	for (const machine of ['web01', 'db01'])
		assert.deepEqual((await verifyPoint(repository, await readPoint(repository, machine, time))).damaged, [], machine);
});

test('a repository is opened again with the id and chunk size it was made with', async t => {
	const made = await repositoryIn(t);
	const opened = await openRepository(made.location);
	assert.equal(opened.id, made.id);
	assert.equal(opened.chunkSizeBytes, 65536);
	await opened.store.close();
});

test('a repository is not made twice, nor in a directory with other things in it', async t => {
	const { location } = await repositoryIn(t);
	await assert.rejects(initRepository(location), { code: 'repository_exists' });
	await assert.rejects(initRepository(join(location, '..')), { code: 'usage', message: /not empty/ });
	await assert.rejects(initRepository(join(location, keys.header)), { code: 'usage' });
});

test('a directory that is not there, or holds no repository, is missing one', async t => {
	const directory = await temporaryDirectory(t);
	await assert.rejects(openRepository(directory), { code: 'repository_missing', exitCode: 10 });
	await assert.rejects(openRepository(join(directory, 'nothing')), {
		code: 'repository_missing',
		hint: /rouse repo init/,
	});
});

test('an exported disk has the exact size, is sparse, and is what was stored', async t => {
	const repository = await repositoryIn(t);
	const bytes = noise(200_003, 1);
	const sizeBytes = 3 * 2 ** 30 + 77;
	await importDisks(repository, [new SparseSource(sizeBytes, [{ offsetBytes: 2 ** 31 + 5, bytes }])]);
	const path = await exported(t, repository);
	const { size, blocks } = await stat(path);
	assert.equal(size, sizeBytes);
	assert.ok(blocks * 512 < 2 * 1024 * 1024, `${blocks * 512} bytes on disk`);
	const file = await open(path);
	t.after(() => file.close());
	const around = Buffer.alloc(bytes.length + 10);
	await file.read(around, 0, around.length, 2 ** 31);
	assert.ok(around.equals(Buffer.concat([Buffer.alloc(5), bytes, Buffer.alloc(5)])));
});

test('an export does not overwrite a file', async t => {
	const repository = await repositoryIn(t);
	await importDisks(repository, [wholeSource(noise(5000, 1))]);
	const path = await exported(t, repository);
	const { manifest } = await readPoint(repository, 'web01', time);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const progress = () => assert.fail('written before the name was looked at');
	await assert.rejects(exportRaw(chunks, manifest.disks[0]!, path, { progress }), { code: 'name_conflict' });
	assert.deepEqual(await readdir(join(path, '..')), ['disk.raw']);
});

test('an export that meets a damaged chunk leaves nothing', async t => {
	const repository = await repositoryIn(t);
	await importDisks(repository, [wholeSource(noise(500_000, 1))]);
	for (const { key } of await collect(repository.store.list(keys.packs))) await repository.store.delete(key);
	const directory = await temporaryDirectory(t);
	const { manifest } = await readPoint(repository, 'web01', time);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	await assert.rejects(exportRaw(chunks, manifest.disks[0]!, join(directory, 'disk.raw')), { code: 'chunk_missing' });
	assert.deepEqual(await readdir(directory), []);
});

test('an export whose directory goes away meanwhile fails by its own error', async t => {
	const repository = await repositoryIn(t);
	await importDisks(repository, [wholeSource(noise(5000, 1))]);
	const parent = await temporaryDirectory(t);
	const directory = join(parent, 'exports');
	await mkdir(directory);
	const { manifest } = await readPoint(repository, 'web01', time);
	const chunks = new VerifiedChunks(new DirectChunkSource(repository.store));
	const progress = () => renameSync(directory, join(parent, 'elsewhere'));
	await assert.rejects(exportRaw(chunks, manifest.disks[0]!, join(directory, 'disk.raw'), { progress }), {
		name: 'RouseError',
		code: 'io_failed',
	});
});
