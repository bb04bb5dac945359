import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMachineSource, type SourceAddress } from '../../sources/open-machine-source.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

test('a machine over SSH is opened by its address, a private key and its own keys, and not without one of them', async t => {
	const directory = await temporaryDirectory(t);
	const at = (name: string) => join(directory, name);
	for (const name of ['key', 'known']) await writeFile(at(name), 'some text\n', { mode: 0o600 });
	const address: SourceAddress = {
		uri: 'ssh://backup@db1.example',
		credential: { name: 'key', path: at('key') },
		knownHostsPath: at('known'),
		snapshot: null,
	};
	const source = await openMachineSource(address);
	assert.equal(source.kind, 'ssh');
	await source.close();

	const refused = async (more: Partial<SourceAddress>, message: RegExp) =>
		assert.rejects(openMachineSource({ ...address, ...more }), { code: 'config_invalid', message });
	await refused({ credential: null }, /by which key/);
	await refused({ credential: { name: 'key', path: at('none') } }, /there is no .*none, the file of credential key/);
	await refused({ knownHostsPath: null }, /what the keys of/);
	await refused({ knownHostsPath: at('other') }, /other cannot be read/);
	await refused({ uri: 'ssh://backup@db1.example/dev/sda' }, /names a path/);
	await chmod(at('key'), 0o644);
	await refused({}, /others may read it/);
});
