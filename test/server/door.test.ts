/** Nobody but the installation's own user reaches its Temporal, and nothing else of it listens. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { test } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { promisify } from 'node:util';
import { connectTemporal, connectTo } from '../../client/connection.ts';
import { isolationOf } from '../../keeper/door/isolation.ts';
import { keysIn, makeKeys } from '../../keeper/door/keys.ts';
import { embeddedTarget } from '../../keeper/embedded-temporal.ts';
import { readPorts } from '../../keeper/ports.ts';
import { serviceFiles, serviceHolder, serviceNames } from '../../keeper/services.ts';
import { findTemporal } from '../../keeper/temporal-cli.ts';
import { cacheDirectory, openInstallation, places } from '../../system/installation.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { endHolder, spawnLocked } from '../../system/spawn-locked.ts';
import { publishTemporalTarget, readPublishedTarget } from '../../system/temporal-target.ts';
import { waitFor } from '../../system/wait.ts';
import { devServerArguments } from '../../workers/temporal-server.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { knock } from '../equipment/knock.ts';
import { overFiles, overFilesAndOwners, powersOf } from '../equipment/powers.ts';
import { openListeners } from '../equipment/listeners.ts';
import { freePort } from '../../system/free-port.ts';

async function pidsOf(home: string): Promise<number[]> {
	const holders = await Promise.all((['keeper', ...serviceNames] as const).map(name => serviceHolder(home, name)));
	return holders.flatMap(holder => holder?.pid ?? []);
}

/** What a caller shows and whom it trusts. */
async function showing(
	{ authority, client }: ReturnType<typeof keysIn>,
	certificate = client,
): Promise<ConnectionOptions> {
	const shown = { cert: await readFile(certificate.certificate), key: await readFile(certificate.key) };
	return { ca: await readFile(authority), checkServerIdentity: () => undefined, ...shown };
}

test('an installation that is up', async t => {
	const here = await EmbeddedInstallation.up(t);
	const { home, runDirectory } = here.installation;
	const ports = await readPorts(home);
	const target = await readPublishedTarget(home);
	assert.ok(ports && target?.tls?.authority);
	const { temporal: port } = ports;
	const keys = keysIn(dirname(target.tls.authority));

	await t.test('listens at one port, that of its door, and at no other place without a file', async () => {
		const pids = await pidsOf(home);
		assert.equal(pids.length, serviceNames.length + 1);
		const outside = await Promise.all(pids.map(async pid => ((await isolationOf(pid)) ? [] : [pid])));
		assert.equal(outside.flat().length, pids.length - 2, 'the server and its forwarder are apart');
		const door = `tcp 0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
		assert.deepEqual(await openListeners(outside.flat()), [door]);
	});

	await t.test(
		"keeps none of root's powers but that over files, where it needs no more",
		{ skip: notRoot },
		async () => {
			const held = new Map<string, string>();
			for (const name of serviceNames) held.set(name, await powersOf((await serviceHolder(home, name))?.pid ?? 0));
			assert.deepEqual(Object.fromEntries(held), {
				...Object.fromEntries(serviceNames.map(name => [name, overFiles])),
				'control-worker': overFilesAndOwners,
				supervisor: 'all', // it makes namespaces and users for machines
			});
		},
	);

	await t.test('has its sockets for its own user alone', async () => {
		assert.equal((await stat(runDirectory)).mode & 0o777, 0o700);
		const sockets = [];
		for (const name of await readdir(runDirectory)) {
			const { mode } = await stat(join(runDirectory, name));
			if ((mode & 0o170000) === 0o140000) sockets.push([name, mode & 0o077]);
		}
		assert.deepEqual(sockets.toSorted(), [
			['supervisor.sock', 0],
			['temporal-ui.sock', 0],
			['temporal.sock', 0],
		]);
	});

	await t.test('opens its door for a certificate of its own authority, and for nothing else', async () => {
		const strangers = keysIn(await makeKeys(await temporaryDirectory(t)));
		const ours = await showing(keys);
		assert.equal(await knock(port, ours), 'answered');
		const knocks: [string, ConnectionOptions | 'plain', string?][] = [
			['a page of a browser', 'plain', `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`],
			['a client of a server without TLS', 'plain'],
			['nobody in particular', { rejectUnauthorized: false }],
			['another installation', { ...(await showing(strangers)), rejectUnauthorized: false }],
			['the certificate of the door itself', await showing(keys, keys.door)],
			['an old protocol', { ...ours, maxVersion: 'TLSv1.2' }],
		];
		for (const [who, how, say] of knocks) assert.equal(await knock(port, how, say), 'refused', who);
	});

	await t.test('is closed to another user of the machine', { skip: notRoot }, async () => {
		const files = [target.tls?.key, join(home, 'temporal', 'address.json'), join(home, 'config.yaml')];
		const sockets = (await readdir(runDirectory)).map(name => join(runDirectory, name));
		const { stdout } = await promisify(execFile)(process.execPath, [
			'-e',
			asNobody,
			JSON.stringify({ files, sockets }),
		]);
		const outcomes: unknown = JSON.parse(stdout);
		assert.deepEqual(outcomes, Object.fromEntries([...files, ...sockets].map(path => [path, 'EACCES'])));
	});

	await t.test('has a server that does nothing which no recovery has a use for', async () => {
		const temporal = await connectTemporal(here.installation);
		const { workflowService } = temporal.client;
		const { namespace } = temporal.target;
		const taskQueue = { name: 'nobody' };
		const deploymentVersion = { deploymentName: 'd', buildId: 'b' };
		const calls: Record<string, () => Promise<unknown>> = {
			batches: () =>
				workflowService.startBatchOperation({
					namespace,
					jobId: 'j',
					reason: 'r',
					visibilityQuery: 'true',
					terminationOperation: {},
				}),
			deployments: () => workflowService.describeWorkerDeploymentVersion({ namespace, deploymentVersion }),
			activities: () =>
				workflowService.startActivityExecution({ namespace, activityId: 'a', activityType: { name: 'a' }, taskQueue }),
		};
		for (const [what, call] of Object.entries(calls))
			await assert.rejects(call, /disabled|not enabled|unimplemented|not supported/i, what);
		await temporal.close();
	});

	await t.test('opens for new keys when they were renewed, not for the old, and its workers come back', async () => {
		const old = await showing(keys);
		const before = await serviceHolder(home, 'control-worker');
		await here.answer('temporal', 'renew-keys');
		await here.answer('up', '--detach');
		assert.notEqual((await serviceHolder(home, 'control-worker'))?.pid, before?.pid);
		const renewed = (await readPublishedTarget(home))?.tls?.authority;
		assert.ok(renewed !== undefined && renewed !== keys.authority);
		assert.equal(await knock(port, await showing(keysIn(dirname(renewed)))), 'answered');
		assert.equal(await knock(port, { ...old, rejectUnauthorized: false }), 'refused');
		assert.equal((await readdir(places.temporalKeys(home))).length, 1);
	});
});

test('`up` carries on a renewal of keys that somebody died over', async t => {
	const here = await EmbeddedInstallation.up(t);
	const { home } = here.installation;
	const before = await readPublishedTarget(home);
	assert.ok(before?.tls?.authority);
	const old = keysIn(dirname(before.tls.authority));
	const shown = await showing(old);
	// As it is when the address has been published and nobody was told.
	const made = await makeKeys(home);
	const port = Number(before.address.split(':')[1]);
	await publishTemporalTarget(home, embeddedTarget({ port, namespace: before.namespace, keys: made }));
	await signalHolder(serviceFiles(home, 'keeper').lockPath, 'SIGKILL');
	await here.answer('up', '--detach');
	assert.equal(await knock(port, await showing(keysIn(made))), 'answered');
	assert.equal(await knock(port, { ...shown, rejectUnauthorized: false }), 'refused');
	assert.deepEqual(await readdir(places.temporalKeys(home)), [basename(made)]);
});

test('a forwarder whose socket has lost its name is started again', async t => {
	const here = await EmbeddedInstallation.up(t);
	await rm(places.temporalSocket(here.installation.runDirectory));
	await here.answer('up', '--detach');
	assert.deepEqual(await here.answer('recover', 'list'), { recoveries: [] });
});

test('`up` puts a server that everybody could reach behind the door, and its workflows go on', async t => {
	const home = join(await temporaryDirectory(t), 'home');
	const installation = await openInstallation(home);
	const found = await findTemporal(cacheDirectory());
	assert.ok(found);
	const [port, uiPort] = [await freePort(), await freePort()];
	const namespace = `rouse-${installation.id.slice(0, 8)}`;
	const old = { address: `127.0.0.1:${port}`, namespace };
	await mkdir(places.services(home), { recursive: true });
	await publishTemporalTarget(home, old);
	await writeFile(join(places.temporal(home), 'ports.json'), JSON.stringify({ temporal: port, ui: uiPort }));
	await spawnLocked({
		...serviceFiles(home, 'temporal'),
		command: found.path,
		args: devServerArguments({ port, uiPort, namespace }),
		cwd: places.temporal(home),
	});
	t.after(() => endHolder(serviceFiles(home, 'temporal').lockPath));
	const started = await waitFor(
		'a workflow on the old server',
		async () => {
			const temporal = await connectTo(old).catch(() => undefined);
			const handle = await temporal?.client.workflow
				.start('waits', { taskQueue: 'nobody', workflowId: 'before-the-door' })
				.catch(() => undefined);
			await temporal?.close();
			return handle;
		},
		{ timeoutMs: 60_000 },
	);
	const here = await EmbeddedInstallation.over(t, installation);
	assert.equal(await knock(port, 'plain'), 'refused');
	const temporal = await connectTemporal(here.installation);
	const { status } = await temporal.client.workflow.getHandle(started.workflowId).describe();
	await temporal.close();
	assert.equal(status.name, 'RUNNING');
});

test('`temporal.isolation: none` leaves the server where everybody is, and its door works', async t => {
	const here = await EmbeddedInstallation.up(t, 'temporal: {isolation: none}\n');
	const holder = await serviceHolder(here.installation.home, 'temporal');
	assert.ok(holder);
	assert.equal(await isolationOf(holder.pid), undefined);
	assert.deepEqual(await here.answer('recover', 'list'), { recoveries: [] });
});

const notRoot = process.getuid?.() === 0 ? false : 'only root can be another user for a while';

/** A program of Node that is nobody from its first line on, and tells for each path why it cannot open it. */
const asNobody = `
process.setgroups([]); process.setgid(65534); process.setuid(65534);
const { files, sockets } = JSON.parse(process.argv[1]);
const outcomes = {};
for (const path of files) try { require('fs').readFileSync(path); outcomes[path] = 'read'; } catch (e) { outcomes[path] = e.code; }
let left = sockets.length;
const done = (path, outcome) => { outcomes[path] ??= outcome; if (--left === 0) { console.log(JSON.stringify(outcomes)); process.exit(); } };
for (const path of sockets) require('net').connect(path).once('connect', () => done(path, 'connected')).once('error', e => done(path, e.code));
`;
