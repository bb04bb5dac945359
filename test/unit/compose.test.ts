/** `docker-compose.yml` and `Dockerfile`, as far as reading them tells. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { parse } from 'yaml';
import * as z from 'zod';
import { temporalRelease } from '../../keeper/temporal-cli.ts';
import { checkoutDirectory } from '../../system/checkout.ts';
import { configSchema } from '../../system/installation.ts';
import { importsOf } from '../../tools/check-imports.ts';
import { inContainer, makeSiteFiles, namespace, serverName, siteServerConfig } from '../../tools/site-files.ts';
import { databaseSettings } from '../../workers/temporal-server.ts';
import { searchAttributes } from '../../workflows/contracts.ts';

const serviceSchema = z.looseObject({
	image: z.string(),
	user: z.string().optional(),
	restart: z.string(),
	command: z.array(z.string()).optional(),
	environment: z.record(z.string(), z.string()).default({}),
	volumes: z.array(z.string()).default([]),
	ports: z.array(z.string()).default([]),
	healthcheck: z
		.object({ test: z.array(z.string()) })
		.loose()
		.optional(),
	depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
});
const composeSchema = z.looseObject({
	services: z.record(z.string(), serviceSchema),
	volumes: z.record(z.string(), z.null()),
});

/** Folders of all files whose code a program loads; `also`: those that it finds by their names. */
async function foldersOf(program: string, ...also: string[]): Promise<string[]> {
	const files = new Set([program, ...also]);
	for (const file of files) {
		const imports = importsOf(await read(file)).filter(
			({ typeOnly, specifier }) => !typeOnly && specifier.startsWith('.'),
		);
		for (const { specifier } of imports) files.add(join(dirname(file), specifier));
	}
	return [...new Set([...files].map(file => file.split('/')[0] ?? ''))].toSorted();
}

const read = (name: string) => readFile(join(checkoutDirectory, name), 'utf8');
const { services, volumes } = composeSchema.parse(parse(await read('docker-compose.yml')));
const of = (name: string) => {
	const service = services[name];
	assert.ok(service, name);
	return service;
};

suite('docker-compose.yml', () => {
	test('has every part, in the order in which they need each other', () => {
		const needs = (name: string) =>
			Object.entries(of(name).depends_on).map(([part, { condition }]) => [part, condition]);
		assert.deepEqual(Object.keys(services), ['postgres', 'schema', 'temporal', 'namespace', 'ui', 'control-worker']);
		assert.deepEqual(needs('schema'), [['postgres', 'service_healthy']]);
		assert.deepEqual(needs('temporal'), [['schema', 'service_completed_successfully']]);
		assert.deepEqual(needs('namespace'), [['temporal', 'service_healthy']]);
		for (const name of ['ui', 'control-worker'])
			assert.deepEqual(needs(name), [['namespace', 'service_completed_successfully']]);
	});

	test('pins images by tag, of the release that is tried here, and looks after what is to stay', async () => {
		for (const [name, { image, restart, healthcheck, user }] of Object.entries(services)) {
			assert.match(image, /^[a-z/-]+:\d[\w.-]*$/, name);
			if (image.startsWith('temporalio/server') || image.startsWith('temporalio/admin-tools'))
				assert.ok(image.endsWith(`:${temporalRelease.server}`), image);
			assert.equal(restart === 'unless-stopped', healthcheck !== undefined, name);
			if (name !== 'postgres') assert.match(user ?? '', /^\$\{ROUSE_USER/, `${name} runs as who owns the keys`);
		}
		const uiModule = /ui-server\/v2 v(\S+)/.exec(await read('tools/temporal/go.mod'))?.[1];
		assert.equal(of('ui').image, `temporalio/ui:${uiModule}`);
	});

	test('keeps the histories in a volume with a name, in 512 parts', () => {
		assert.deepEqual(Object.keys(volumes), ['histories']);
		assert.ok(of('postgres').volumes.includes('histories:/var/lib/postgresql/data'));
		assert.equal(siteServerConfig().persistence.numHistoryShards, 512);
	});

	test('publishes nothing without TLS', () => {
		const published = Object.entries(services).filter(([, { ports }]) => ports.length > 0);
		assert.deepEqual(
			published.map(([name]) => name),
			['temporal', 'ui'],
		);
		const { tls } = siteServerConfig().global;
		assert.deepEqual(
			z.looseObject({ frontend: z.looseObject({ server: z.looseObject({}) }) }).parse(tls).frontend.server,
			{
				certFile: `${inContainer}/temporal.crt`,
				keyFile: `${inContainer}/temporal.key`,
				requireClientAuth: true,
				clientCaFiles: [`${inContainer}/authority.crt`],
			},
		);
		assert.ok(of('ui').environment['TEMPORAL_UI_SERVER_TLS_KEY']);
		assert.ok(
			of('ui').ports.every(port => port.startsWith('127.0.0.1:')),
			'it asks nobody who looks',
		);
		assert.equal(of('ui').environment['TEMPORAL_DISABLE_WRITE_ACTIONS'], 'true');
	});

	test('makes the namespace with what workers search by', () => {
		const [script = ''] = of('namespace').command ?? [];
		for (const { name } of Object.values(searchAttributes)) assert.ok(script.includes(` ${name}`), name);
		assert.ok(script.includes(`--namespace ${namespace} `));
	});

	test('mounts what `makeSiteFiles` makes, to each part its own keys, and to none the authority’s', async t => {
		const parent = await mkdtemp(join(tmpdir(), 'rouse-site-'));
		t.after(() => rm(parent, { recursive: true, force: true }));
		const site = join(parent, 'site');
		await makeSiteFiles(site, { uid: 1000, gid: 1000 });
		for (const name of await readdir(site)) assert.equal((await stat(join(site, name))).mode & 0o077, 0, name);
		const mounted = (name: string) =>
			of(name).volumes.flatMap(volume => /^\$\{ROUSE_SITE[^}]*\}\/([^:]+):/.exec(volume)?.[1] ?? []);
		for (const name of Object.keys(services)) {
			for (const file of mounted(name)) await stat(join(site, file));
			const named = JSON.stringify(of(name)).match(/\/etc\/rouse-site\/[a-z._-]+\w/g) ?? [];
			for (const path of named) assert.ok(mounted(name).includes(basename(path)), `${name} has no ${path}`);
			assert.ok(!mounted(name).includes('authority.key'));
		}
		const told = JSON.stringify(siteServerConfig()).match(/\/etc\/rouse-site\/[a-z._-]+\w/g) ?? [];
		for (const path of told) assert.ok(mounted('temporal').includes(basename(path)), path);
		const config = configSchema.parse(parse(await readFile(join(site, 'home', 'config.yaml'), 'utf8')));
		assert.equal(config.temporal.namespace, namespace);
		const dynamic = z
			.record(z.string(), z.unknown())
			.parse(JSON.parse(await readFile(join(site, 'dynamic.json'), 'utf8')));
		for (const [key] of databaseSettings()) assert.ok(Object.hasOwn(dynamic, key), key);
		for (const name of ['namespace', 'ui'])
			assert.equal(of(name).environment['TEMPORAL_TLS_SERVER_NAME'], serverName, name);
	});
});

suite('Dockerfile', () => {
	test('has the Node of the launcher, no root, and a look after itself', async () => {
		const text = await read('Dockerfile');
		const node = /^node_version=(\S+)$/m.exec(await read('rouse'))?.[1];
		const from = [...text.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image);
		assert.deepEqual(from, [`node:${node}-bookworm-slim`, `node:${node}-bookworm-slim`]);
		assert.match(text, /npm ci --omit=dev/);
		assert.match(text, /^USER rouse$/m);
		assert.match(text, /^HEALTHCHECK .* CMD \["node", "workers\/healthy\.ts"\]$/m);
	});

	test('brings every folder whose code workers load, and no other', async () => {
		const brought = (await read('.dockerignore')).match(/^!(?!.*[.A-Z])\S+$/gm)?.map(line => line.slice(1)) ?? [];
		const programs = [
			'repository/access/main.ts',
			'hypervisors/hyperv/selftest/main.ts',
			'sources/machine-child/main.ts',
		];
		const loaded = await foldersOf('workers/main.ts', 'workflows/index.ts', ...programs);
		assert.deepEqual(brought.toSorted(), loaded);
	});
});
