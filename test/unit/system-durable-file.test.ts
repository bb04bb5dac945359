import assert from 'node:assert/strict';
import { lstat, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isRoot } from '../../hypervisors/qemu/confinement.ts';
import { replaceFileDurably } from '../../system/durable-file.ts';
import { nobody, temporaryDirectory } from '../equipment/captive.ts';

if (isRoot())
	test('`replaceFileDurably` gives the file to its owner, and not what a link in its place leads to', async t => {
		const directory = await temporaryDirectory(t);
		const [path, other] = [join(directory, 'told'), join(directory, 'other')];
		await writeFile(other, 'of root');
		await symlink(other, path);
		await replaceFileDurably(path, 'new', 0o600, { uid: nobody, gid: nobody });
		const { uid, gid, mode } = await lstat(path);
		assert.deepEqual([uid, gid, mode & 0o7777], [nobody, nobody, 0o600]);
		assert.equal(await readFile(path, 'utf8'), 'new');
		assert.equal((await stat(other)).uid, 0);
		assert.equal(await readFile(other, 'utf8'), 'of root');
	});
