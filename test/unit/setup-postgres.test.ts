import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { whileNoCluster } from '../../cli/setup/postgres.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`whileNoCluster` says so while the package is installed, where all can read, and leaves nothing', async t => {
	const etc = await temporaryDirectory(t);
	const before = process.umask(0o077);
	t.after(() => process.umask(before));
	const settings = join(etc, 'postgresql-common', 'createcluster.d');
	await whileNoCluster(settings, async () => {
		assert.equal(await readFile(join(settings, 'rouse.conf'), 'utf8'), 'create_main_cluster = false\n');
		for (const path of [settings, join(settings, '..')]) assert.equal((await stat(path)).mode & 0o777, 0o755, path);
	});
	assert.deepEqual(await readdir(etc), []);
});

test('`whileNoCluster` takes nothing away that others have there, also when the package cannot be installed', async t => {
	const common = join(await temporaryDirectory(t), 'postgresql-common');
	await mkdir(common);
	await writeFile(join(common, 'user_clusters'), 'theirs');
	const settings = join(common, 'createcluster.d');
	await assert.rejects(
		whileNoCluster(settings, () => Promise.reject(new Error('no network'))),
		/no network/,
	);
	assert.deepEqual(await readdir(common), ['user_clusters']);
	await mkdir(settings);
	await writeFile(join(settings, 'site.conf'), 'theirs');
	await whileNoCluster(settings, async () => {});
	assert.deepEqual(await readdir(settings), ['site.conf']);
});
