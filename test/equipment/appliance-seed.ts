import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import type { Seed } from '../../appliance/first-boot/seed.ts';
import { temporaryDirectory } from './captive.ts';

const run = promisify(execFile);

/** A seed with all there is to say, and a certificate that is one. */
export async function sampleSeed(t: Pick<TestContext, 'after'>, change: Partial<Seed> = {}): Promise<Seed> {
	const directory = await temporaryDirectory(t);
	const [key, certificate] = ['host.key', 'host.crt'].map(name => join(directory, name));
	if (key === undefined || certificate === undefined) throw new Error('two paths');
	const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '1'];
	await run('openssl', [...request, '-subj', '/CN=test', '-keyout', key, '-out', certificate]);
	const keys = {
		authority: await readFile(certificate, 'utf8'),
		certificate: await readFile(certificate, 'utf8'),
		key: await readFile(key, 'utf8'),
	};
	return {
		version: 0,
		name: 'hv1',
		kind: 'simulated',
		hostId: 'b3b3b3b3-0000-4000-8000-000000000000',
		renewal: randomBytes(32).toString('hex'),
		networks: [
			{ mac: '00:15:5d:01:02:03', address: '192.0.2.10/24', nameServers: [] },
			{ mac: '00:15:5d:01:02:04', address: 'dhcp', gateway: '198.51.100.1', nameServers: ['198.51.100.53'] },
		],
		temporal: { address: 'temporal.example:7233', namespace: 'recoveries', tls: keys, payloadKey: '5a'.repeat(32) },
		repository: { name: 'main', directory: '/srv/rouse', host: 'repository.example', port: 7402, ...keys },
		...change,
	};
}

/** What is said of a Windows host. */
export function sampleWindows(key: string): NonNullable<Seed['windows']> {
	return {
		host: '192.0.2.1',
		port: 22,
		user: 'Administrator',
		key,
		hostKeys: ['192.0.2.1 ssh-ed25519 AAAA'],
		datastore: 'D:\\Rouse',
		appliance: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d',
		address: '192.0.2.10',
	};
}
