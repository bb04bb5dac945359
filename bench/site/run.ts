/** A site of so many machines comes back on one simulated host, through the keeper, workers and Temporal as they are. */
import { mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { connectTemporal, type TemporalClient } from '../../client/connection.ts';
import { summarise } from '../../client/summaries.ts';
import { runningServices, serviceHolder } from '../../keeper/services.ts';
import { withRepositoryIn } from '../../repository/repository.ts';
import { places } from '../../system/installation.ts';
import { EmbeddedInstallation } from '../../test/equipment/embedded-installation.ts';
import { importDisks, noise, wholeSource } from '../../test/equipment/repositories.ts';
import { recoveryWorkflow, recoveryWorkflowId, searchAttributes } from '../../workflows/contracts.ts';
import { brokerEvents, grantsIn, heardTimes } from '../broker-grants.ts';
import { type Figures, figuresOf, type RecoveryTimes } from './figures.ts';
import { ProcessWatch } from './processes.ts';

const MiB = 2 ** 20;

/** The same for all sizes: so many machines at once, whatever the site has. */
const host = { recoveries: 32, migrations: 16, window: 100 } as const;

export interface Site {
	/** How many machines. */
	size: number;
	/** What config.yaml says of Temporal. */
	temporal: string;
	limitMs: number;
	/** Aborted: it is taken down, and measures nothing. */
	signal: AbortSignal;
}

export async function measure({ size, temporal, limitMs, signal }: Site): Promise<Figures> {
	const undo: (() => unknown)[] = [];
	try {
		const here = await bringUp(temporal, hook => undo.push(hook));
		const connected = await connectTemporal(here.installation);
		undo.push(() => connected.close());
		const { home } = here.installation;
		const database = () => bytesIn(places.temporal(home));
		const databaseBefore = await database();
		const watch = new ProcessWatch(await programs(home));
		await watch.look();
		const file = join(home, 'site.yaml');
		await writeFile(file, batchOf(size));
		const begun = performance.now();
		await here.answer('batch', 'start', file);
		const startedMs = performance.now() - begun;
		const limit = AbortSignal.timeout(limitMs);
		await untilFinished(connected, size, { limit, signal, look: () => watch.look() });
		await watch.look();
		const recoveries = await timesOf(connected);
		const broker = await brokerEvents(connected.client);
		return figuresOf({
			startedMs,
			recoveries,
			grants: grantsIn(broker),
			heard: await heardBySome(connected, recoveries),
			brokerEvents: broker.length,
			used: watch.used,
			databaseBytes: (await database()) - databaseBefore,
		});
	} finally {
		for (const step of undo.toReversed()) await step();
	}
}

async function bringUp(temporal: string, after: (hook: () => unknown) => void): Promise<EmbeddedInstallation> {
	const { recoveries, migrations } = host;
	const config = [
		// Of processors there shall be no want: a machine that has come back keeps its own.
		`host: {kind: simulated, recoveries: ${recoveries}, migrations: ${migrations}, vcpus: 1000000}`,
		`temporal: ${temporal}`,
	];
	// On a disk, as the database of an installation is.
	const here = await EmbeddedInstallation.up({ after }, `${config.join('\n')}\n`, prefix =>
		mkdtemp(join(tmpdir(), prefix)),
	);
	await withRepositoryIn(here.repository, repository =>
		importDisks(repository, [wholeSource(noise(MiB, 1))], { machine: 'web01' }),
	);
	return here;
}

function batchOf(size: number): string {
	const machines = Array.from({ length: size }, (_none, number) => ({
		machine: 'web01',
		name: `m${number}`,
		memory: '64MiB',
	}));
	return JSON.stringify({
		name: 'site',
		window: host.window,
		defaults: { finish: 'migrate', allocate: 'thin', newMac: true },
		groups: [{ name: 'all', machines }],
	});
}

/** The services by name, and their keeper. */
async function programs(home: string): Promise<Map<string, number>> {
	const services = await runningServices(home);
	const keeper = await serviceHolder(home, 'keeper');
	const found = new Map<string, number>(services.map(({ name, pid }) => [name, pid]));
	if (keeper) found.set('keeper', keeper.pid);
	return found;
}

/** Throws when one of them cannot finish by itself. */
async function untilFinished(
	{ client }: TemporalClient,
	size: number,
	{ limit, signal, look }: { limit: AbortSignal; signal: AbortSignal; look: () => Promise<void> },
): Promise<void> {
	const count = async (which: string) =>
		(await client.workflow.count(`WorkflowType = '${recoveryWorkflow}' AND ${which}`)).count;
	for (;;) {
		const finished = await count(`ExecutionStatus = 'Completed'`);
		if (finished >= size) return;
		const failed = await count(`ExecutionStatus = 'Failed'`);
		const parked = await count(`${searchAttributes.parked.name} IS NOT NULL`);
		if (failed + parked > 0) throw new Error(`${failed} of ${size} recoveries have failed, ${parked} are parked`);
		signal.throwIfAborted();
		if (limit.aborted) throw new Error(`${finished} of ${size} recoveries are finished in time`);
		await look();
		await delay(1_000);
	}
}

async function timesOf({ client }: TemporalClient): Promise<RecoveryTimes[]> {
	const times: RecoveryTimes[] = [];
	for await (const info of client.workflow.list({ query: `WorkflowType = '${recoveryWorkflow}'` })) {
		const { name, status } = summarise(info);
		const { requestedAt = '', runningAt = '', finishedAt = '' } = status?.timings ?? {};
		times.push({
			workflowId: recoveryWorkflowId(name),
			events: info.historyLength,
			requestedMs: Date.parse(requestedAt),
			runningMs: Date.parse(runningAt),
			finishedMs: Date.parse(finishedAt),
		});
	}
	return times;
}

/** A history is long: of a large site some of them tell enough. */
async function heardBySome({ client }: TemporalClient, recoveries: readonly RecoveryTimes[]) {
	const step = Math.ceil(recoveries.length / 200);
	const heard = new Map<string, number[]>();
	for (const [number, { workflowId }] of recoveries.entries())
		if (number % step === 0) heard.set(workflowId, await heardTimes(client, workflowId));
	return heard;
}

async function bytesIn(directory: string): Promise<number> {
	const names = await readdir(directory, { recursive: true });
	const sizes = await Promise.all(names.map(async name => (await stat(join(directory, name))).size));
	return sizes.reduce((sum, size) => sum + size, 0);
}
