import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configSchema } from '../../system/installation.ts';
import { sourceIn } from '../../system/machine-sources.ts';

const repositories = { main: '/backup' };
const uri = 'ssh://backup@web01.example';
const knownHostsFile = 'keys/web01-known';

for (const [what, config] of [
	['a password in its address', { sources: { web: { uri: 'ssh://backup:hunter2@web01', knownHostsFile } } }],
	['an address that is none', { sources: { web: { uri: 'web01' } } }],
	['a credential that is not there', { sources: { web: { uri, knownHostsFile, credential: 'key' } } }],
	['a credential that every object has', { sources: { web: { uri, knownHostsFile, credential: 'constructor' } } }],
	['a repository that is not there', { sources: { web: { uri, knownHostsFile, repository: 'mian' } } }],
	['a machine over SSH whose keys nobody has read', { sources: { web: { uri } } }],
	['keys of what is not over SSH', { sources: { web: { uri: 'simulated:///srv/web', knownHostsFile } } }],
	['a wish that its kind passes over', { sources: { web: { uri: 'simulated:///srv/web', snapshot: 'none' } } }],
	['a spool of what is no archive', { sources: { web: { uri: 'simulated:///srv/web', spool: 'spool' } } }],
	['a wish that nobody knows', { sources: { web: { uri, knownHostsFile, snapshot: false } } }],
	['a secret in config.yaml itself', { credentials: { key: { password: 'hunter2' } } }],
] as const)
	test(`\`configSchema\` refuses ${what}, and quotes no secret`, () => {
		const { error } = configSchema.safeParse({ repositories, ...config });
		assert.ok(error && !error.message.includes('hunter2'));
	});

test('`sourceIn` has the name of the source for its machine, and refuses one that is not there', () => {
	const credentials = { key: { file: '/home/key' } };
	const config = configSchema.parse({
		repositories,
		credentials,
		sources: {
			web: { uri, knownHostsFile, credential: 'key', maxRate: '20MiB/s' },
			db: { uri, knownHostsFile, machine: 'db01', repository: 'main', snapshot: 'none' },
		},
	});
	const { credential, machine, repository, maxRateBytes } = sourceIn(config, 'web');
	assert.deepEqual(
		[credential, machine, repository, maxRateBytes],
		[{ name: 'key', path: '/home/key' }, 'web', null, 20 * 2 ** 20],
	);
	assert.equal(sourceIn(config, 'web').snapshot, null);
	const db = sourceIn(config, 'db');
	assert.deepEqual([db.machine, db.knownHostsPath, db.snapshot], ['db01', knownHostsFile, 'none']);
	assert.throws(() => sourceIn(config, 'constructor'), { code: 'config_invalid', hint: 'it has db, web' });
});
