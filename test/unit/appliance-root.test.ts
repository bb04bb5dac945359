import assert from 'node:assert/strict';
import { mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { forgetBuilder } from '../../appliance/make-root.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('`forgetBuilder` under a private umask: the files of /etc stay readable for services that are not root', async t => {
	const root = await temporaryDirectory(t);
	await mkdir(join(root, 'etc'));
	await mkdir(join(root, 'var', 'lib'), { recursive: true });
	const usual = process.umask(0o077);
	t.after(() => process.umask(usual));
	await forgetBuilder(root);
	for (const name of ['machine-id', 'hostname', 'hosts', 'resolv.conf'])
		assert.equal((await stat(join(root, 'etc', name))).mode & 0o777, 0o644, name);
	assert.equal((await stat(join(root, 'var', 'lib', 'rouse'))).mode & 0o777, 0o700);
});
