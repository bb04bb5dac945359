/**
 * What a broker grants in a second: `node bench/broker-server.ts [REQUESTS]` with a real server on a file and a control
 * worker as a process of its own. So many open workflows ask at once, and all give back at once when the last has heard of its
 * grant. Prints JSON, in ms by the server's clock: until they had asked, until the last grant was delivered, what one took from the
 * decision to its delivery; and how many events of the broker's history a request takes from its beginning to its end.
 */
import type { temporal as api } from '@temporalio/proto';
import { requestIdOf } from '../model/broker.ts';
import { BrokerSite, leaseRequest } from '../test/equipment/broker-site.ts';
import { openHolder, startBrokerIn } from '../test/equipment/served-broker.ts';
import { TestInstallation } from '../test/equipment/temporal.ts';
import { waitFor } from '../system/wait.ts';
import { acquireSignal, brokerViewQuery, brokerWorkflowId, releaseSignal } from '../workflows/broker-contracts.ts';

type HistoryEvent = api.api.history.v1.IHistoryEvent;

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
	await waitFor('the grants', async () => timesOf(await eventsOfBroker()).lags.length >= count, {
		timeoutMs,
		everyMs: 1_000,
	});
	const { askedMs, deliveredMs, lags } = timesOf(await eventsOfBroker());
	await inParallel(requests.values(), request =>
		broker().signal(releaseSignal, { requestId: requestIdOf(request), stays: null }),
	);
	const empty = async () => (await broker().query(brokerViewQuery)).leases.length === 0;
	await waitFor('all to be given back', empty, { timeoutMs, everyMs: 1_000 });
	console.log(
		JSON.stringify({
			count,
			askedMs,
			deliveredMs,
			perSecond: Math.round((count / deliveredMs) * 10_000) / 10,
			oneMs: { least: lags[0], median: lags[count >> 1], most: lags.at(-1) },
			eventsEach: Math.round(((await eventsOfBroker()).length / count) * 10) / 10,
		}),
	);

	/** Of all its runs, the oldest first. */
	async function eventsOfBroker(): Promise<HistoryEvent[]> {
		const runs: HistoryEvent[][] = [];
		for (let runId: string | undefined; ; ) {
			const { events } = await client.workflow.getHandle(brokerWorkflowId, runId).fetchHistory();
			runs.unshift(events ?? []);
			runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
			if (runId === undefined) return runs.flat();
		}
	}
} finally {
	await place.remove();
}

/** Since the first request came. A grant's message is delivered in the run that has sent it. */
function timesOf(events: readonly HistoryEvent[]): { askedMs: number; deliveredMs: number; lags: number[] } {
	const asked = events.filter(event => event.workflowExecutionSignaledEventAttributes).map(timeOf);
	const [firstMs = 0] = asked;
	const sent = new Map<string, number>();
	const lags: number[] = [];
	let lastMs = firstMs;
	for (const event of events) {
		if (event.signalExternalWorkflowExecutionInitiatedEventAttributes) sent.set(String(event.eventId), timeOf(event));
		const delivered = event.externalWorkflowExecutionSignaledEventAttributes;
		if (!delivered) continue;
		lags.push(timeOf(event) - (sent.get(String(delivered.initiatedEventId)) ?? 0));
		lastMs = timeOf(event);
	}
	return {
		askedMs: (asked.at(-1) ?? firstMs) - firstMs,
		deliveredMs: lastMs - firstMs,
		lags: lags.toSorted((one, other) => one - other),
	};
}

function timeOf({ eventTime }: HistoryEvent): number {
	return Number(eventTime?.seconds ?? 0) * 1_000 + Math.round((eventTime?.nanos ?? 0) / 1e6);
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
