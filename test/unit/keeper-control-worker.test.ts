import assert from 'node:assert/strict';
import { test } from 'node:test';
import { upText } from '../../cli/commands/up.ts';
import { keepsControlWorker } from '../../keeper/control-worker.ts';
import { embeddedServices } from '../../keeper/embedded-services.ts';
import { configSchema } from '../../system/installation.ts';

const main = { directory: '/srv/main', host: 'backup1', port: 7400, authority: 'a', certificate: 'c', key: 'k' };
const elsewhere = { repositoriesElsewhere: { main } };
const temporal = { temporal: { address: 'temporal.example:7233', tls: true } };
const own = { repositories: { own: '/srv/own' } };
const installation = { id: 'i', home: '/home', runDirectory: '/run', cacheDirectory: '/cache' };

for (const [title, config, kept] of [
	['an installation of one machine', {}, true],
	['one with Temporal elsewhere', temporal, true],
	['one that has the only Temporal there is', elsewhere, true],
	[
		'one with Temporal elsewhere, a repository of its own and one elsewhere',
		{ ...own, ...elsewhere, ...temporal },
		true,
	],
	['a host with repository and Temporal elsewhere', { ...elsewhere, ...temporal }, false],
] as const)
	test(`${title} keeps ${kept ? 'a' : 'no'} control worker`, () => {
		const control = keepsControlWorker(configSchema.parse(config));
		assert.equal(control, kept);
		const names = embeddedServices(installation, undefined, { served: [], control }).map(({ name }) => name);
		assert.deepEqual([names.includes('control-worker'), names.includes('host-worker')], [kept, true]);
	});

test('`up` says when no control worker is kept', () => {
	const ready = { home: '/home', temporal: { address: 'a:1', namespace: 'n' }, supervisorSocket: '/s', services: [] };
	const textOf = (config: object) => upText(ready, { started: true, config: configSchema.parse(config), silent: [] });
	const host = { host: { name: 'kvm2' } };
	assert.match(textOf({ ...host, ...elsewhere, ...temporal }), /no control worker[^]*Next: [^\n]* --host kvm2$/);
	assert.doesNotMatch(textOf({ ...own, ...elsewhere, ...temporal }), /no control worker/);
});
