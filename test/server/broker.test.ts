import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createBrokerActivities } from '../../activities/broker-activities.ts';
import { Broker } from '../../client/broker.ts';
import type { TemporalClient } from '../../client/connection.ts';
import { type Holder, requestIdOf } from '../../model/broker.ts';
import { waitFor } from '../../system/wait.ts';
import { workflowBundle } from '../../workers/bundle.ts';
import { siteWorkflows } from '../../workers/site-workflows.ts';
import { acquireSignal, brokerViewQuery, brokerWorkflowId, releaseSignal } from '../../workflows/broker-contracts.ts';
import { taskQueues } from '../../workflows/contracts.ts';
import { BrokerSite, leaseRequest } from '../equipment/broker-site.ts';
import { heardBy, openHolder, startBrokerIn } from '../equipment/served-broker.ts';
import { type OwnProcess, TestInstallation } from '../equipment/temporal.ts';

const timeoutMs = 60_000;
let place: TestInstallation;
let temporal: TemporalClient;
let server: OwnProcess;
let worker: OwnProcess;

before(async () => {
	place = await TestInstallation.create();
	await configure(3);
	server = await place.startServer();
	temporal = await place.connect();
	worker = place.startWorkers('control');
});
after(() => place.remove());

function configure(mounts: number): Promise<void> {
	const { home } = place.installation;
	const limits = `limits: {main: {mounts: ${mounts}, streams: 2}}`;
	return writeFile(join(home, 'config.yaml'), `repositories: {main: ${home}/backup}\n${limits}\n`);
}

const broker = () => temporal.client.workflow.getHandle(brokerWorkflowId);

async function describeBroker() {
	const { raw, historyLength } = await broker().describe();
	const { firstRunId } = raw.workflowExecutionInfo ?? {};
	return { firstRunId, historyLength };
}

/** It has asked what open recoveries hold, and has heard it. */
function untilIdle(): Promise<true> {
	const idle = async () => {
		const { pendingActivities, pendingWorkflowTask } = (await broker().describe()).raw;
		return (pendingActivities ?? []).length === 0 && !pendingWorkflowTask;
	};
	return waitFor('the broker to have nothing to do', idle, { timeoutMs });
}

/** What there is of a resource, by the broker; undefined while no worker answers. */
async function capacityOf(resource: string): Promise<number | null | undefined> {
	const view = await temporal.client
		.withDeadline(Date.now() + 2_000, () => broker().query(brokerViewQuery))
		.catch(() => undefined);
	return view?.resources.find(found => found.resource === resource)?.capacity;
}

function untilCapacity(resource: string, capacity: number): Promise<true> {
	return waitFor(`${resource} to be ${capacity}`, async () => (await capacityOf(resource)) === capacity, { timeoutMs });
}

test('a control worker starts the broker, reports what a repository bears, and changes of that', async () => {
	await untilCapacity('repository/main/mounts', 3);
	assert.equal(await capacityOf('repository/main/streams'), 2);
	await untilIdle();
	const earlier = await describeBroker();
	await configure(4);
	await untilCapacity('repository/main/mounts', 4);
	const now = await describeBroker();
	assert.equal(now.firstRunId, earlier.firstRunId);
	// A signal, and the task that takes it: looking after a broker that runs costs it nothing.
	assert.equal(now.historyLength - earlier.historyLength, 4);
});

test('`Broker` gives orders that stay in the history with who gave them and why, and refuses what makes no sense', async () => {
	const orders = new Broker(temporal);
	const resource = 'repository/main/streams';
	await orders.setTotal({ resource, total: 7, reason: 'a faster disk' });
	const { resources } = await orders.view();
	assert.partialDeepStrictEqual(
		resources.find(found => found.resource === resource),
		{ capacity: 7, set: 7 },
	);
	const given = (await orders.audit(0)).filter(({ kind }) => kind === 'order');
	assert.deepEqual(
		given.map(({ text, by, reason }) => ({ text, by, reason })),
		[{ text: `setTotal ${resource} 7`, by: temporal.caller, reason: 'a faster disk' }],
	);
	assert.deepEqual(await orders.audit(Date.now() + 60_000), []);
	await assert.rejects(orders.setTotal({ resource: 'main', total: 1 }), { code: 'input_invalid' });
	const requestId = 'recovery/nobody/a/run';
	await assert.rejects(orders.forceRelease({ requestId, reason: 'test' }), { code: 'phase_wrong' });
	await assert.rejects(orders.prioritize({ requestId, priority: 1 }), { code: 'phase_wrong' });
	await assert.rejects(orders.requestId('nobody/run'), { code: 'recovery_unknown' });
	await orders.setTotal({ resource, total: null });
	assert.equal(await capacityOf(resource), 2);
});

test('a broker that somebody terminates is started anew, and told what it has to know', async () => {
	const { firstRunId } = await describeBroker();
	await broker().terminate('test');
	await waitFor('another', async () => (await describeBroker()).firstRunId !== firstRunId, { timeoutMs });
	await untilCapacity('repository/main/mounts', 4);
	await worker.end('SIGTERM');
	await assert.rejects(new Broker(temporal, { limitMs: 1_000 }).view(), { code: 'worker_missing' });
});

test('grants outlive a killed worker, a killed server, a holder that is terminated and a worker of another version', async () => {
	const { client } = temporal;
	const { firstRunId: old } = await describeBroker();
	await broker().terminate('test');
	await configure(2);
	// As one that has run for a while: who waits has its holders asked at once, and not a minute later.
	const { state } = new BrokerSite({ 'repository/main': { mounts: 2 } });
	await startBrokerIn(client, { ...state, asked: { atMs: 0, upTo: 0 } });
	const [a, b, c, d] = await Promise.all(['a', 'b', 'c', 'd'].map(async name => openHolder(client, name)));
	assert.ok(a && b && c && d);
	const requestOf = (holder: Holder) => leaseRequest('any', { holder, shared: { 'repository/main/mounts': 1 } });
	const ask = (holder: Holder) => broker().signal(acquireSignal, requestOf(holder));
	const granted = (holder: Holder) =>
		waitFor(`a grant to ${holder.workflowId}`, async () => (await heardBy(client, holder)).length > 0, { timeoutMs });

	const killed = place.startWorkers('control');
	await Promise.all([a, b].map(ask));
	await Promise.all([a, b].map(granted));
	const { firstRunId } = await describeBroker();
	assert.notEqual(firstRunId, old);
	await killed.end('SIGKILL');
	await ask(c);
	await client.workflow.getHandle(a.workflowId).terminate('test');
	await server.end('SIGKILL');
	server = await place.startServer();
	const first = place.startWorkers('control');
	await granted(c);

	await ask(d);
	const runId = (await broker().describe()).runId;
	await first.end('SIGTERM');
	const other = await startOtherVersion();
	try {
		await broker().signal(releaseSignal, { requestId: requestIdOf(requestOf(b)), stays: null });
		await granted(d);
		const now = await broker().describe();
		assert.notEqual(now.runId, runId, 'a run of its own');
		assert.equal(now.raw.workflowExecutionInfo?.firstRunId, firstRunId);
		const { leases, waitingCount } = await broker().query(brokerViewQuery);
		assert.deepEqual([leases.map(({ holder }) => holder), waitingCount], [[c, d], 0]);
	} finally {
		await other.end();
	}
	for (const holder of [a, b, c, d]) assert.deepEqual(await heardBy(client, holder), ['leaseGranted']);
});

/** A worker whose workflow code differs by a comment, for the broker alone. */
async function startOtherVersion(): Promise<{ end: () => Promise<void> }> {
	const { address, namespace } = place.target;
	const connection = await NativeConnection.connect({ address });
	const { code } = await workflowBundle(place.installation.cacheDirectory);
	const workflows = { code: `// another version\n${code}` };
	// All grants are told by an activity.
	const activities = createBrokerActivities(siteWorkflows(temporal.client, async () => []));
	const own = await Worker.create({
		connection,
		namespace,
		taskQueue: taskQueues.control,
		workflowBundle: workflows,
		activities,
	});
	const running = own.run();
	return {
		async end() {
			own.shutdown();
			await running;
			await connection.close();
		},
	};
}
