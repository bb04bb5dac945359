import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMachineSource } from '../../sources/open-machine-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const uri = 'simulated:///srv/machine';

test('`openMachineSource` refuses an address of no kind, and tells nothing of it that may be a secret', async () => {
	await assert.rejects(openMachineSource({ uri: 'vmwrae://web01/?key=hunter2', credential: null }), error => {
		assert.ok(error instanceof Error && !error.message.includes('hunter2'));
		return 'code' in error && error.code === 'config_invalid';
	});
	await openMachineSource({ uri, credential: null });
});

test('`openMachineSource` refuses a credential that is not there, is no file, or may be read by others', async t => {
	const directory = await temporaryDirectory(t);
	const path = join(directory, 'key');
	const check = () => openMachineSource({ uri, credential: { name: 'key', path } });
	const refused = (message: RegExp) => ({ code: 'config_invalid', message });
	await assert.rejects(check(), refused(/^there is no .*\/key, the file of credential key$/));
	await writeFile(path, 'hunter2\n');
	await chmod(path, 0o640);
	await assert.rejects(check(), refused(/others may read it/));
	await chmod(path, 0o600);
	await check();
	await mkdir(join(directory, 'keys'), { mode: 0o700 });
	const inDirectory = openMachineSource({ uri, credential: { name: 'key', path: join(directory, 'keys') } });
	await assert.rejects(inDirectory, refused(/is no file/));
});
