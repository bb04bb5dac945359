/** What is never done to a place in which there may be a database. */
import assert from 'node:assert/strict';
import { mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { startableCluster } from '../../keeper/postgres/cluster.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`startableCluster` makes no database where an empty directory or a link to nowhere is: it may be mounted there', async t => {
	const directory = await temporaryDirectory(t);
	const at = (name: string) => ({ data: join(directory, name, 'postgres'), sockets: join(directory, 'sockets') });
	const [empty, link] = [at('empty'), at('link')];
	await mkdir(empty.data, { recursive: true });
	await mkdir(join(directory, 'link'));
	await symlink('/nowhere/postgres', link.data);
	for (const places of [empty, link]) {
		await assert.rejects(startableCluster(places), { code: 'precheck_failed', message: /no database is in it/ });
		assert.deepEqual(await readdir(join(places.data, '..')), ['postgres']);
	}
});
