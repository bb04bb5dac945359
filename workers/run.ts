import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Client } from '@temporalio/client';
import type { Worker } from '@temporalio/worker';
import { runSelftest } from '../activities/host/run-selftest.ts';
import { SupervisorClient } from '../supervisor/client.ts';
import { type Installation, loadConfig, makeIdentity, places } from '../system/installation.ts';
import { systemClock } from '../system/clock.ts';
import type { Log } from '../system/log.ts';
import { workerCodec } from '../system/payload-codec.ts';
import { readTemporalTarget } from '../system/temporal-target.ts';
import { connectWithRetry, type TemporalAccess } from './connect.ts';
import { TemporalWatch, watchTemporal } from './temporal-watch.ts';
import { recordTemporal } from '../system/temporal-outages.ts';
import { forwardCapacity, reportCapacity, tellBroker } from './capacity-reports.ts';
import { createControlWorkers } from './control-worker.ts';
import { forwardReports } from './forwarder.ts';
import { createHostWorkers } from './host-worker.ts';
import { keepBroker } from './keep-broker.ts';

export type Role = 'control' | 'host';
export const roles: readonly Role[] = ['control', 'host'];

/** Runs the workers of these roles until the process is told to end; drains for at most ten seconds. */
export async function runWorkers(
	installation: Installation,
	wanted: readonly Role[],
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const read = async () => readTemporalTarget(installation, await loadConfig(installation));
	const worker = `${wanted.join('-')}-worker`;
	const record = (seen: { at: string; reason?: string }) => recordTemporal(installation.home, worker, seen);
	const watch = new TemporalWatch({ record, log, clock: systemClock });
	const { connection, target } = await connectWithRetry(read, { log, watch, signal });
	const { namespace, address } = target;
	const ended = new AbortController();
	try {
		const access: TemporalAccess = { connection, namespace, codec: await workerCodec(target), target };
		const workers: Worker[] = [];
		// When the system shuts down, the server may go first: a worker that drains does not miss it.
		const watching = AbortSignal.any([signal, ended.signal]);
		const more = [watchTemporal(connection, watch, { clock: systemClock, signal: watching })];
		if (wanted.includes('control')) {
			const client = clientOf(access);
			workers.push(...(await createControlWorkers(access, client, installation)));
			more.push(keepBroker(client, () => loadConfig(installation), log, ended.signal));
		}
		if (wanted.includes('host')) {
			const host = await startHost(installation, access, log, ended.signal);
			workers.push(...host.workers);
			more.push(...host.reporting);
		}
		log.info({ roles: wanted, address, namespace }, 'workers run');
		// The Runtime tells workers that run of a signal; one that came before is only here.
		signal.throwIfAborted();
		await runTogether(workers);
		ended.abort();
		await Promise.all(more);
	} finally {
		ended.abort();
		await connection.close();
	}
	log.info('workers have ended');
}

/** Until a signal shuts them down. When one fails, the others are shut down too: the process is started again as a whole. */
export async function runTogether(workers: readonly Pick<Worker, 'run' | 'shutdown' | 'getState'>[]): Promise<void> {
	const shutDown = () => {
		for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
	};
	const runs = workers.map(async worker => {
		try {
			await worker.run();
		} catch (error) {
			shutDown();
			throw error;
		}
	});
	await Promise.allSettled(runs); // the connection is not to be closed under one that drains
	await Promise.all(runs);
}

async function startHost(
	installation: Installation,
	access: TemporalAccess,
	log: Log,
	signal: AbortSignal,
): Promise<{ workers: Worker[]; reporting: Promise<void>[] }> {
	const { host } = await loadConfig(installation);
	const identity = places.hostIdentity(installation.home);
	await mkdir(dirname(identity), { recursive: true });
	const hostId = await makeIdentity(identity);
	const supervisor = SupervisorClient.of(installation);
	const client = clientOf(access);
	const tell = tellBroker(client);
	const { recoveries } = host;
	const checks = places.checks(installation.home);
	const dependencies = { hostId, supervisor, recoveries, reportCapacity: reportCapacity(supervisor, tell), checks };
	const workers = await createHostWorkers(access, dependencies, how =>
		runSelftest({ ...how, installation, env: process.env }),
	);
	const reporting = [forwardReports(client, dependencies, log, signal), forwardCapacity(supervisor, tell, log, signal)];
	return { workers, reporting };
}

function clientOf({ connection, namespace, codec }: TemporalAccess): Client {
	return new Client({ connection, namespace, dataConverter: { payloadCodecs: [codec] } });
}
