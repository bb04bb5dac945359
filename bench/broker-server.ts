/**
 * What a broker grants in a second: `node bench/broker-server.ts [REQUESTS]` with a real server on a file and a control
 * worker as a process of its own. So many open workflows ask at once, and all give back at once when the last has heard of its
 * grant. Prints JSON, in ms by the server's clock: until they had asked, until the last grant was delivered, what one took from the
 * decision to its delivery; and how many events of the broker's history a request takes from its beginning to its end.
 */
import { requestIdOf } from '../model/broker.ts';
import { BrokerSite, leaseRequest } from '../test/equipment/broker-site.ts';
import { openHolder, startBrokerIn } from '../test/equipment/served-broker.ts';
import { TestInstallation } from '../test/equipment/temporal.ts';
import { askedTimes, brokerEvents, grantsIn } from './broker-grants.ts';
import { waitFor } from '../system/wait.ts';
import { acquireSignal, brokerViewQuery, brokerWorkflowId, releaseSignal } from '../workflows/broker-contracts.ts';

const count = Number(process.argv[2] ?? 1_000);
const callsAtOnce = 50;
const timeoutMs = 600_000;

const place = await TestInstallation.create();
try {
	await place.startServer();
	const { client } = await place.connect();
	const broker = () => client.workflow.getHandle(brokerWorkflowId);
	await startBrokerIn(client, new BrokerSite({ 'repository/main': { mounts: count } }).state);
	place.startWorkers('control');
	await waitFor('the broker', () => broker().query(brokerViewQuery), { timeoutMs });
	const requests = await inParallel(Array.from({ length: count }).keys(), async number => {
		const holder = await openHolder(client, `m${number}`);
		return leaseRequest(`m${number}`, { holder, shared: { 'repository/main/mounts': 1 }, sinceMs: Date.now() });
	});
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
	console.log(
		JSON.stringify({
			count,
			askedMs: (laterMs.at(-1) ?? firstMs) - firstMs,
			deliveredMs: takenMs,
			perSecond: Math.round((count / takenMs) * 10_000) / 10,
			oneMs: { least: lags[0], median: lags[count >> 1], most: lags.at(-1) },
			eventsEach: Math.round(((await brokerEvents(client)).length / count) * 10) / 10,
		}),
	);
} finally {
	await place.remove();
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
