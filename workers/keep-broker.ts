import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import type { Config } from '../system/installation.ts';
import type { Log } from '../system/log.ts';
import { RepeatedFailures } from '../system/repeated-failures.ts';
import { repositoryLimits, reportersOf } from '../system/site.ts';
import { brokerWorkflow, brokerWorkflowId, capacityReportSignal } from '../workflows/broker-contracts.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { RepositoryReports } from './repository-reports.ts';

/** A broker that was terminated is missed for so long, and a change of the configuration. */
const lookEveryMs = 5_000;
const callTimeoutMs = 5_000;

/**
 * Starts the broker wherever none runs, and reports for the repositories, until `signal` is aborted. A server that is away
 * and a configuration that cannot be read are tried again: nothing here ends the worker.
 */
export async function keepBroker(
	client: Client,
	readConfig: () => Promise<Config>,
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const reports = new RepositoryReports();
	const failures = new RepeatedFailures();
	while (!signal.aborted) {
		try {
			await keepOnce(client, await readConfig(), reports);
			failures.over('broker');
		} catch (error) {
			if (!signal.aborted)
				failures.failed('broker', error, fields => log.warn(fields, 'the broker is not looked after'));
		}
		await delay(lookEveryMs, undefined, { signal }).catch(() => undefined);
	}
}

async function keepOnce(client: Client, config: Config, reports: RepositoryReports): Promise<void> {
	const call = <T>(work: () => Promise<T>) => client.withDeadline(Date.now() + callTimeoutMs, work);
	const runId = await call(() => startBroker(client, config));
	const limits = repositoryLimits(config);
	for (const report of reports.due(limits, runId, Date.now())) {
		const handle = client.workflow.getHandle(brokerWorkflowId);
		await call(() => handle.signal(capacityReportSignal, report));
		reports.told(report, Date.now());
	}
}

/** The run that goes on, or the one that this began. One that is there gets no event of it. */
async function startBroker(client: Client, config: Config): Promise<string> {
	const { firstExecutionRunId } = await client.workflow.start(brokerWorkflow, {
		workflowId: brokerWorkflowId,
		taskQueue: taskQueues.control,
		args: [{ reporters: reportersOf(config) }],
		workflowIdConflictPolicy: 'USE_EXISTING',
		workflowIdReusePolicy: 'ALLOW_DUPLICATE',
	});
	return firstExecutionRunId;
}
