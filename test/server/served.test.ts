/** What hosts elsewhere reach of an installation: who is let in, for how long, and that its keeper keeps it. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { connect, type ConnectionOptions } from 'node:tls';
import * as z from 'zod';
import { connectTo, type TemporalClient } from '../../client/connection.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { makeRequest } from '../../client/requests.ts';
import { servedProblems } from '../../cli/host/local-problems.ts';
import { keysIn } from '../../keeper/door/keys.ts';
import { servedAddresses } from '../../keeper/served-addresses.ts';
import { servedAnswers } from '../../keeper/served-answers.ts';
import { serviceFiles, serviceHolder } from '../../keeper/services.ts';
import { admitHost, type HostKeys } from '../../repository/service/service-keys.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { addHostId } from '../../system/configured-hosts.ts';
import { loadConfig } from '../../system/installation.ts';
import { signalHolder } from '../../system/process-lock.ts';
import { publishTemporalTarget, readPublishedTarget } from '../../system/temporal-target.ts';
import { waitFor } from '../../system/wait.ts';
import { recoveryWorkflowId, taskQueues } from '../../workflows/contracts.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { knock, preface } from '../equipment/knock.ts';
import { overFiles, powersOf } from '../equipment/powers.ts';
import { freePort } from '../../system/free-port.ts';

/** Loopback has more than one: what listens here alone is not reached at 127.0.0.1. */
const address = '127.0.0.2';

const notRoot = process.getuid?.() === 0 ? false : 'needs root';

/** https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
const grpcPermissionDenied = 7;

/** TaskQueueType of temporal/api/enums/v1/task_queue.proto. */
const activityQueue = 2;

async function isPolled({ client, target }: TemporalClient, name: string, pid: number): Promise<boolean> {
	const { pollers } = await client.workflowService.describeTaskQueue({
		namespace: target.namespace,
		taskQueue: { name },
		taskQueueType: activityQueue,
	});
	return (pollers ?? []).some(({ identity }) => identity?.startsWith(`${pid}@`));
}

const runningSchema = z.looseObject({ services: z.array(z.object({ name: z.string(), pid: z.int() })) });

async function showing({ authority, certificate, key }: HostKeys): Promise<ConnectionOptions> {
	const shown = { cert: await readFile(certificate), key: await readFile(key) };
	return { ca: await readFile(authority), checkServerIdentity: () => undefined, ...shown };
}

test('`serve` of config.yaml', async t => {
	const [outer, repository] = [await freePort(), await freePort()];
	const config = `host: {kind: simulated}\nserve: {address: ${address}, temporal: ${outer}, repositories: {main: ${repository}}}\n`;
	const here = await EmbeddedInstallation.up(t, config);
	const { installation } = here;
	const { home } = installation;
	const elsewhere = await temporaryDirectory(t);
	const admitted = (host: string, to: readonly ('repositories' | 'temporal')[], of = home) =>
		admitHost(of, host, join(elsewhere, host), to);
	const hv1 = await admitted('hv1', ['repositories', 'temporal']);
	const own = await readPublishedTarget(home);
	assert.ok(own?.tls?.authority);
	const loopback = Number(own.address.split(':')[1]);
	const client = keysIn(dirname(own.tls.authority)).client;
	const inside = { authority: own.tls.authority, ...client };
	const knocksOutside = (how: ConnectionOptions | 'plain') => knock(outer, how, undefined, address);
	const addresses = await servedAddresses(installation, await loadConfig(installation));
	assert.ok(addresses?.temporal);
	const target = { ...addresses.temporal, tls: { ...hv1, serverName: addresses.serverName } };

	await t.test('is in what `up` answers, and served at its address alone', async () => {
		const { services } = runningSchema.parse(await here.answer('up', '--detach'));
		assert.deepEqual(
			services.slice(-2).map(({ name }) => name),
			['host-door', 'repo-serve-main'],
		);
		assert.deepEqual(addresses.repositories, { main: { host: address, port: repository } });
		for (const port of [outer, repository])
			assert.deepEqual(
				[await servedAnswers(home, { host: address, port }), await servedAnswers(home, { host: '127.0.0.1', port })],
				[true, false],
			);
	});

	await t.test("keeps none of root's powers but that over files", { skip: notRoot }, async () => {
		for (const name of ['host-door', 'repo-serve-main'] as const)
			assert.equal(await powersOf((await serviceHolder(home, name))?.pid ?? 0), overFiles, name);
	});

	await t.test('lets a host in to Temporal that is admitted to it, and nobody else', async () => {
		const temporal = await connectTo(target);
		const { namespace } = temporal.target;
		await temporal.client.workflowService.describeNamespace({ namespace });
		await temporal.close();
		assert.equal(await knocksOutside(await showing(hv1)), 'answered');
		const strangers = await admitted('stranger', ['temporal'], await temporaryDirectory(t));
		const ours = await showing(hv1);
		const knocks: [string, ConnectionOptions | 'plain'][] = [
			['a client of a server without TLS', 'plain'],
			['nobody in particular', { rejectUnauthorized: false }],
			['a host of another installation', { ...(await showing(strangers)), rejectUnauthorized: false }],
			['a host that is admitted to repositories', await showing(await admitted('reader', ['repositories']))],
			['this installation itself', { ...(await showing(inside)), rejectUnauthorized: false }],
			['an old protocol', { ...ours, maxVersion: 'TLSv1.2' }],
		];
		for (const [who, how] of knocks) assert.equal(await knocksOutside(how), 'refused', who);
	});

	await t.test('answers a host worker, from its first call to the end of a recovery, and no other call', async () => {
		// As on a host elsewhere, but for what it shares with this one.
		const { hostId } = await SupervisorClient.of(installation).host();
		const far = await connectTo(target);
		const { namespace } = target;
		const { workflowService } = far.client;
		const mayNotPoll = async (name: string, details: RegExp) =>
			await assert.rejects(workflowService.pollActivityTaskQueue({ namespace, taskQueue: { name } }), {
				code: grpcPermissionDenied,
				details,
			});
		await mayNotPoll(taskQueues.host(hostId), /its id is not known here/);
		await addHostId(installation, 'hv1', hostId);
		for (const name of [taskQueues.host(randomUUID()), taskQueues.control])
			await mayNotPoll(name, /not a queue of this host/);
		const before = await serviceHolder(home, 'host-worker');
		await publishTemporalTarget(home, target);
		await signalHolder(serviceFiles(home, 'host-worker').lockPath, 'SIGKILL');
		const inner = await connectTo(own);
		const recoveries = new Recoveries(inner);
		await waitFor(
			'a worker behind the door',
			async () => {
				const holder = await serviceHolder(home, 'host-worker');
				return holder && holder.pid !== before?.pid && isPolled(inner, taskQueues.host(hostId), holder.pid);
			},
			{ timeoutMs: 60_000 },
		);
		const [point] = await storePoints(here.repository);
		assert.ok(point);
		const host = await SupervisorClient.of(installation).host();
		const request = await makeRequest(
			{ machine: point.machine, point: point.restorePoint },
			{ name: 'far', finish: 'migrate', switch: 'auto', allocate: 'thin', powerOn: true },
			{ networks: {}, repository: here.repository, host },
		);
		await recoveries.start(request);
		await recoveries.waitFor('far', 'finished', { timeoutMs: 60_000 });
		const said = await readFile(serviceFiles(home, 'host-door').logPath, 'utf8');
		assert.doesNotMatch(said, /no call of a host worker/, 'a call that workers make is missing in host-calls.ts');
		const execution = { workflowId: recoveryWorkflowId('far') };
		const history = () => workflowService.getWorkflowExecutionHistory({ namespace, execution });
		await assert.rejects(history(), { code: grpcPermissionDenied });
		await assert.rejects(new Recoveries(far).start({ ...request, name: 'another' }));
		await assert.rejects(
			workflowService.pollWorkflowTaskQueue({ namespace, taskQueue: { name: taskQueues.control } }),
			{ code: grpcPermissionDenied },
		);
		await Promise.all([inner.close(), far.close()]);
		await publishTemporalTarget(home, own);
	});

	await t.test('changes nothing of the door on loopback', async () => {
		assert.equal(await knock(loopback, await showing(inside)), 'answered');
		assert.equal(await knock(loopback, { ...(await showing(hv1)), rejectUnauthorized: false }), 'refused');
	});

	await t.test('ends with `host withdraw`, also for a connection that is open', async () => {
		const open = connect({ host: address, port: outer, ALPNProtocols: ['h2'], ...(await showing(hv1)) });
		t.after(() => open.destroy());
		open.on('error', () => {});
		open.write(preface);
		await once(open, 'data');
		await here.answer('host', 'withdraw', 'hv1');
		assert.equal(await knocksOutside(await showing(hv1)), 'refused');
		await waitFor('the open connection to be cut', () => open.closed, { timeoutMs: 10_000 });
		assert.equal(await knock(loopback, await showing(inside)), 'answered');
	});

	await t.test('is kept: who is killed is there again', async () => {
		for (const [name, port] of [
			['host-door', outer],
			['repo-serve-main', repository],
		] as const) {
			const before = await serviceHolder(home, name);
			await signalHolder(serviceFiles(home, name).lockPath, 'SIGKILL');
			await waitFor(
				`another ${name}`,
				async () => {
					const holder = await serviceHolder(home, name);
					return holder && holder.pid !== before?.pid && (await servedAnswers(home, { host: address, port }));
				},
				{ timeoutMs: 60_000 },
			);
		}
	});

	await t.test('that does not answer is told by `doctor`, and before a host is added', async () => {
		const silent = async () => {
			const { stdout } = await here.run('doctor');
			return [...stdout.matchAll(/"code":"served_silent","subject":"([^"]*)"/g)].map(([, key]) => key);
		};
		assert.deepEqual(await silent(), []);
		const told = {
			to: ['temporal' as const],
			repository: { name: 'main', directory: '/backup', host: address, port: repository },
		};
		assert.deepEqual(await servedProblems(installation, told), []);
		const path = join(home, 'config.yaml');
		const text = await readFile(path, 'utf8');
		await writeFile(path, text.replace(`temporal: ${outer}`, `temporal: ${await freePort()}`));
		assert.deepEqual(await silent(), ['serve.temporal']);
		const [problem, ...more] = await servedProblems(installation, told);
		assert.match(problem ?? '', /for serve\.temporal \(\S+, port \d+\): rouse down, then rouse up --detach$/);
		assert.deepEqual(more, []);
		await writeFile(path, text);
	});

	await t.test('ends with `down`', async () => {
		const { stopped } = z.looseObject({ stopped: z.array(z.string()) }).parse(await here.answer('down'));
		assert.deepEqual([stopped.includes('host-door'), stopped.at(-1)], [true, 'repo-serve-main']);
		for (const name of ['host-door', 'repo-serve-main'] as const)
			assert.equal(await serviceHolder(home, name), undefined);
	});
});
