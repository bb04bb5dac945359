import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { chooseDatabase } from '../../cli/setup/choose-database.ts';
import { dynamicConfig, localPlace, serverConfig } from '../../keeper/postgres/server-config.ts';
import { configSchema, type Installation, places } from '../../system/installation.ts';
import { devServerArguments } from '../../workers/temporal-server.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';

async function installation(t: TestContext, config: string): Promise<Installation> {
	const home = await temporaryDirectory(t);
	await writeFile(join(home, 'config.yaml'), config, { mode: 0o600 });
	return { id: 'a', home, runDirectory: join(home, 'run'), cacheDirectory: join(home, 'cache') };
}

const configOf = ({ home }: Installation) => readFile(join(home, 'config.yaml'), 'utf8');

test('`chooseDatabase` writes what is new, and nothing else', async t => {
	const here = await installation(t, '# ours\nhost: {name: kvm1}\n');
	await chooseDatabase(here, 'embedded');
	assert.equal(await configOf(here), '# ours\nhost: {name: kvm1}\n');
	await chooseDatabase(here, 'postgres');
	assert.equal(await configOf(here), '# ours\nhost: { name: kvm1 }\ntemporal:\n  database: postgres\n');
});

for (const [wanted, other] of [
	['postgres', (home: string) => join(places.temporal(home), 'temporal.db')],
	['embedded', (home: string) => join(places.postgres(home), 'PG_VERSION')],
] as const)
	test(`\`chooseDatabase\` refuses ${wanted} beside histories of the other, and says where they are`, async t => {
		const here = await installation(t, '');
		await mkdir(dirname(other(here.home)), { recursive: true });
		await writeFile(other(here.home), '');
		const hint = new RegExp(`${places.temporal(here.home)}/${wanted === 'postgres' ? '.*-wal' : 'postgres'}`);
		await assert.rejects(chooseDatabase(here, wanted), { code: 'precheck_failed', message: /not moved/, hint });
		assert.equal(await configOf(here), '');
	});

test('`up --temporal postgres` beside other histories is refused before anything is fetched or built for it', async t => {
	const { home } = await installation(t, '');
	await mkdir(places.temporal(home));
	await writeFile(join(places.temporal(home), 'temporal.db'), '');
	const nothing = await temporaryDirectory(t);
	const env = { XDG_CACHE_HOME: nothing, GOMODCACHE: nothing, GOPROXY: 'off' };
	const { stderr } = await rouse(home, ['up', '--detach', '--temporal', 'postgres', '--json'], env);
	assert.match(stderr, /precheck_failed.*not moved/);
	assert.doesNotMatch(stderr, /building|installing/);
});

test('`chooseDatabase` refuses where Temporal is elsewhere, and so does config.yaml', async t => {
	const here = await installation(t, 'temporal: {address: "temporal.example:7233", tls: true}\n');
	await assert.rejects(chooseDatabase(here, 'postgres'), { code: 'precheck_failed', message: /temporal\.example/ });
	const both = { temporal: { address: 'temporal.example:7233', tls: true, database: 'postgres' } };
	assert.equal(configSchema.safeParse(both).success, false);
});

test('a server on PostgreSQL is told what the embedded one is told, and listens on loopback alone', () => {
	const given = devServerArguments({ port: 7233 });
	const settings = given.filter((_word, at) => given[at - 1] === '--dynamic-config-value');
	const told = Object.entries(dynamicConfig()).map(([key, [{ value }]]) => `${key}=${JSON.stringify(value)}`);
	assert.ok(settings.length > 10);
	for (const setting of settings) assert.ok(told.includes(setting), setting);
	const ports = { frontend: 7233, history: 7234, matching: 7235, worker: 7239 };
	const { services, persistence } = serverConfig(localPlace({ ports, sockets: '/run/x', dynamicConfig: '/y' }));
	for (const { rpc } of Object.values(services)) assert.equal(rpc.bindOnIP, '127.0.0.1');
	const { connectAttributes } = persistence.datastores.default.sql;
	assert.deepEqual(connectAttributes, { host: '/run/x' });
});
