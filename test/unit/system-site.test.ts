import assert from 'node:assert/strict';
import { it } from 'node:test';
import { configSchema } from '../../system/installation.ts';
import { reportersOf, repositoryLimits, repositoryNameOf } from '../../system/site.ts';

const elsewhere = { directory: '/far', host: 'b', port: 7400, authority: 'a', certificate: 'c', key: 'k' };
const config = configSchema.parse({
	repositories: { main: '/backup', old: '/old' },
	repositoriesElsewhere: { far: elsewhere },
	limits: { old: { streams: 2, imports: 4, readBytesPerSecond: '1 MiB/s' } },
	host: { name: 'kvm1' },
	hosts: { kvm2: { id: '0b9c3f52-6f0d-4a53-8f0e-5a0d6e4b1c2d' } },
});

it('`reportersOf` names every host and every repository of the site', () => {
	assert.deepEqual(reportersOf(config), ['host/kvm1', 'host/kvm2', 'repository/main', 'repository/old']);
});

it('`repositoryLimits` has what the configuration limits, and defaults for the rest', () => {
	assert.deepEqual(
		[...repositoryLimits(config)],
		[
			['main', { mounts: 64, streams: 8, imports: 2 }],
			['old', { mounts: 64, streams: 2, imports: 4 }],
		],
	);
});

it('`configSchema` refuses limits of a repository that it does not name', () => {
	const { success } = configSchema.safeParse({ repositories: { main: '/backup' }, limits: { mian: { mounts: 1 } } });
	assert.equal(success, false);
});

it('`repositoryNameOf` gives the name in the configuration, and one for ever to what it does not name', () => {
	const nameOf = (directory: string) => repositoryNameOf(config, directory);
	assert.deepEqual(['/backup', '/far'].map(nameOf), ['main', 'far']);
	assert.match(nameOf('/somewhere'), /^unnamed-[0-9a-f]{16}$/);
	assert.equal(nameOf('/somewhere'), nameOf('/somewhere'));
	assert.notEqual(nameOf('/somewhere'), nameOf('/elsewhere'));
});
