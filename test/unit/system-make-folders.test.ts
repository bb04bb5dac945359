import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFolders } from '../../system/make-folders.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`makeFolders` makes what is missing, says which was the first, and is harmless twice', async t => {
	const above = await temporaryDirectory(t);
	assert.equal(await makeFolders(join(above, 'a', 'b', 'c'), 0o700), join(above, 'a'));
	assert.equal((await stat(join(above, 'a', 'b'))).mode & 0o777, 0o700);
	assert.equal(await makeFolders(join(above, 'a', 'b', 'c'), 0o700), undefined);
});

test('`makeFolders` ends where nothing can be made', async t => {
	await assert.rejects(makeFolders('/proc/rouse/home', 0o700), { code: 'ENOENT' });
	const file = join(await temporaryDirectory(t), 'file');
	await writeFile(file, '');
	await assert.rejects(makeFolders(file, 0o700), { code: 'EEXIST' });
	await assert.rejects(makeFolders(join(file, 'a'), 0o700), { code: 'ENOTDIR' });
});
