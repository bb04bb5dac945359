import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { destinationOf } from '../../hypervisors/hyperv/over-ssh.ts';
import { createPlatform } from '../../supervisor/platforms.ts';
import { configSchema, type Installation } from '../../system/installation.ts';

const home = '/var/lib/rouse';
const installation: Installation = { id: randomUUID(), home, runDirectory: '/run/rouse/1', cacheDirectory: home };
const hyperv = {
	ssh: 'Administrator@hv1',
	identityFile: 'keys/hv1',
	knownHostsFile: '/etc/rouse/hv1-keys',
	datastore: 'D:\\Rouse',
	appliance: 'A0A0A0A0-1111-4222-8333-444444444444',
	address: '192.168.7.2',
};

suite('`createPlatform`', () => {
	test('makes the platform that host.kind names', () => {
		for (const host of [{}, { kind: 'qemu' }, { kind: 'simulated' }, { kind: 'hyperv', hyperv }] as const) {
			const config = configSchema.parse({ host });
			assert.equal(createPlatform(installation, config).platform.kind, 'kind' in host ? host.kind : 'qemu');
		}
	});
});

suite('`host.hyperv` of config.yaml', () => {
	test('belongs to its kind, and its kind to it', () => {
		for (const host of [{ kind: 'hyperv' }, { kind: 'qemu', hyperv }, { hyperv }])
			assert.match(configSchema.safeParse({ host }).error?.message ?? '', /belongs to `kind: hyperv`/);
	});

	test('is refused where a field could not be what it says', () => {
		for (const wrong of [
			{ ssh: 'hv1' },
			{ datastore: '/var/lib' },
			{ datastore: 'D:\\Ro*se' },
			{ appliance: 'rouse-appliance' },
			{ address: 'appliance.lan' },
		])
			assert.equal(
				configSchema.safeParse({ host: { kind: 'hyperv', hyperv: { ...hyperv, ...wrong } } }).success,
				false,
			);
	});

	test('names files below the home, and a user before the last @', () => {
		const { host } = configSchema.parse({ host: { kind: 'hyperv', hyperv: { ...hyperv, ssh: 'a@corp.lan@hv1' } } });
		assert.ok(host.hyperv);
		assert.deepEqual(destinationOf(host.hyperv, home), {
			user: 'a@corp.lan',
			host: 'hv1',
			port: 22,
			identityPath: join(home, 'keys/hv1'),
			knownHostsPath: '/etc/rouse/hv1-keys',
		});
		assert.equal(host.hyperv.appliance, hyperv.appliance.toLowerCase());
	});
});
