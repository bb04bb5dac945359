/**
 * What a broker grants in a second, with Temporal's histories embedded and in PostgreSQL, in turn in one run:
 * `node bench/broker-server.ts [REQUESTS…]`, of an installation of its own for each, as `rouse up --temporal` makes it. So many
 * open workflows ask at once, and all give back at once when the last has heard of its grant. Prints a line of JSON for each, in
 * ms by the server's clock: until they had asked, until the last grant was delivered, what one took from the decision to its
 * delivery; how many events of the broker's history a request takes from its beginning to its end; and the machine's load.
 */
import { mkdtemp } from 'node:fs/promises';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { connectTemporal } from '../client/connection.ts';
import { requestIdOf } from '../model/broker.ts';
import { type TemporalDatabase, temporalDatabases } from '../system/installation.ts';
import { waitFor } from '../system/wait.ts';
import { leaseRequest } from '../test/equipment/broker-site.ts';
import { EmbeddedInstallation } from '../test/equipment/embedded-installation.ts';
import { openHolder } from '../test/equipment/served-broker.ts';
import { acquireSignal, brokerViewQuery, brokerWorkflowId, releaseSignal } from '../workflows/broker-contracts.ts';
import { askedTimes, brokerEvents, grantsIn } from './broker-grants.ts';

const given = process.argv.slice(2).map(Number);
const counts = given.length === 0 ? [100, 1_000] : given;
const callsAtOnce = 50;
const timeoutMs = 600_000;
const resource = 'host/local/recoveries';

for (const count of counts)
	for (const database of temporalDatabases) console.log(JSON.stringify(await grantsOn(database, count)));

async function grantsOn(database: TemporalDatabase, count: number) {
	const hooks: (() => unknown)[] = [];
	const [load] = loadavg();
	try {
		const config = `host: {kind: simulated, recoveries: ${count}}\n`;
		const onDisk = (prefix: string) => mkdtemp(join(tmpdir(), prefix)); // its speed counts
		const later = { after: (hook: () => unknown) => void hooks.push(hook) };
		const here = await EmbeddedInstallation.up(later, config, onDisk, '--temporal', database);
		const temporal = await connectTemporal(here.installation);
		hooks.unshift(() => temporal.close());
		return { database, count, ...(await grantsBy(temporal.client, count)), load, loadAfter: loadavg()[0] };
	} finally {
		for (const hook of hooks) await hook();
	}
}

async function grantsBy(client: Client, count: number) {
	const broker = () => client.workflow.getHandle(brokerWorkflowId);
	const has = async () => {
		const { resources, rebuilding } = await broker().query(brokerViewQuery);
		// A broker that was just started waits some seconds for what its hosts report, and grants nothing before.
		return rebuilding === null && resources.some(one => one.resource === resource && one.capacity === count);
	};
	await waitFor('what the broker shares out', () => has().catch(() => false), { timeoutMs });
	const requests = await inParallel(Array.from({ length: count }).keys(), async number => {
		const holder = await openHolder(client, `m${number}`);
		return leaseRequest(`m${number}`, { holder, hosts: ['local'], onHost: { recoveries: 1 }, sinceMs: Date.now() });
	});
	const before = (await brokerEvents(client)).length;
	await inParallel(requests.values(), request => broker().signal(acquireSignal, request));
	const delivered = async () => grantsIn(await brokerEvents(client)).length >= count;
	await waitFor('the grants', delivered, { timeoutMs, everyMs: 1_000 });
	const events = await brokerEvents(client);
	const [firstMs = 0, ...laterMs] = askedTimes(events);
	const grants = grantsIn(events);
	const lags = grants.map(({ sentMs, deliveredMs }) => deliveredMs - sentMs).toSorted((one, other) => one - other);
	const takenMs = (grants.at(-1)?.deliveredMs ?? firstMs) - firstMs;
	await inParallel(requests.values(), request =>
		broker().signal(releaseSignal, { requestId: requestIdOf(request), stays: null }),
	);
	const empty = async () => (await broker().query(brokerViewQuery)).leases.length === 0;
	await waitFor('all to be given back', empty, { timeoutMs, everyMs: 1_000 });
	return {
		askedMs: (laterMs.at(-1) ?? firstMs) - firstMs,
		deliveredMs: takenMs,
		perSecond: Math.round((count / takenMs) * 10_000) / 10,
		oneMs: { least: lags[0], median: lags[count >> 1], most: lags.at(-1) },
		eventsEach: Math.round((((await brokerEvents(client)).length - before) / count) * 10) / 10,
	};
}

async function inParallel<T, R>(all: Iterable<T>, work: (one: T) => Promise<R>): Promise<R[]> {
	const results: R[] = [];
	const left = [...all].entries();
	const worker = async () => {
		for (const [index, one] of left) results[index] = await work(one);
	};
	await Promise.all(Array.from({ length: callsAtOnce }, worker));
	return results;
}
