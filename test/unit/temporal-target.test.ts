import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { configSchema } from '../../system/installation.ts';
import { readSecurity } from '../../system/temporal-security.ts';
import { isLocal, publishTemporalTarget, readTemporalTarget } from '../../system/temporal-target.ts';
import { temporaryDirectory } from '../equipment/captive.ts';

const read = (home: string, temporal: unknown) => readTemporalTarget({ home }, configSchema.parse({ temporal }));

suite('where Temporal is', () => {
	test('is what the keeper published when the configuration names no address', async t => {
		const home = await temporaryDirectory(t);
		await assert.rejects(read(home, {}), { code: 'temporal_unreachable' });
		const target = { address: '127.0.0.1:1', namespace: 'n', tls: { authority: '/a', serverName: 's' } };
		await publishTemporalTarget(home, target);
		assert.deepEqual(await read(home, {}), target);
		assert.deepEqual(await read(home, { isolation: 'none' }), target);
	});

	test('is refused elsewhere in clear text, unless that is said', async () => {
		for (const address of ['temporal.example:7233', '10.0.0.5:7233', '127.example.com:7233', '[2001:db8::1]:7233'])
			await assert.rejects(read('/home', { address }), { code: 'config_invalid' }, address);
		for (const address of ['localhost:7233', '127.0.0.1:7233', '127.9.9.9:1', '[::1]:7233'])
			assert.deepEqual(await read('/home', { address }), { address, namespace: 'default' });
		const address = 'temporal.example:7233';
		assert.deepEqual(await read('/home', { address, insecure: true }), { address, namespace: 'default' });
		assert.deepEqual((await read('/home', { address, tls: true })).tls, {});
		assert.equal(isLocal('localhost.example:1'), false);
	});

	test('names its files below the home, and their content is what opens the door', async t => {
		const home = await temporaryDirectory(t);
		await mkdir(join(home, 'keys'));
		for (const name of ['ca', 'crt', 'key', 'api'])
			await writeFile(join(home, 'keys', name), `${name}\n`, { mode: 0o600 });
		const tls = { authority: 'keys/ca', certificate: 'keys/crt', key: 'keys/key', serverName: 'temporal' };
		const target = await read(home, { address: 'temporal.example:7233', tls, apiKeyFile: join(home, 'keys/api') });
		assert.equal(target.tls?.key, join(home, 'keys', 'key'));
		assert.deepEqual(await readSecurity(target), {
			tls: {
				serverNameOverride: 'temporal',
				serverRootCACertificate: Buffer.from('ca\n'),
				clientCertPair: { crt: Buffer.from('crt\n'), key: Buffer.from('key\n') },
			},
			apiKey: 'api',
		});
		await chmod(join(home, 'keys', 'key'), 0o640);
		await assert.rejects(readSecurity(target), { code: 'config_invalid', message: /others may read/ });
		await chmod(join(home, 'keys', 'key'), 0o600);
		const missing = { ...target, apiKeyFile: join(home, 'nothing') };
		await assert.rejects(readSecurity(missing), { code: 'config_invalid', message: /nothing/ });
	});

	test('wants what belongs together', () => {
		for (const temporal of [
			{ isolation: 'none', address: '127.0.0.1:1' },
			{ tls: true },
			{ insecure: true },
			{ namespace: 'n' },
			{ address: 'a:1', apiKeyFile: 'f' },
			{ address: 'a:1', tls: { key: 'k' } },
			{ address: 'a:1', tls: false },
		])
			assert.equal(configSchema.safeParse({ temporal }).success, false, JSON.stringify(temporal));
	});
});
