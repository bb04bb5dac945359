import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { initRepository } from '../../repository/repository.ts';
import { nobody, temporaryDirectory } from '../equipment/captive.ts';

test('`initRepository` where this user may not make a directory says how it is made', async t => {
	const above = await temporaryDirectory(t);
	await chmod(above, 0o555);
	const isRoot = process.geteuid?.() === 0;
	// Root may write everywhere: it is nobody for the length of the call.
	if (isRoot) process.seteuid?.(nobody);
	try {
		await assert.rejects(initRepository(join(above, 'backups')), {
			code: 'usage',
			message: `${above}/backups may not be made by this user`,
			hint: new RegExp(`install -d -m 0700 -o \\d+ ${above}/backups`),
		});
	} finally {
		if (isRoot) process.seteuid?.(0);
	}
});

test('`initRepository` in the place of a file says that it is no directory', async t => {
	const path = join(await temporaryDirectory(t), 'file');
	await writeFile(path, '');
	await assert.rejects(initRepository(path), { code: 'usage', message: `${path}: it is no directory` });
});
