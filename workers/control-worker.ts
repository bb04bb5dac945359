import type { Client } from '@temporalio/client';
import { Worker } from '@temporalio/worker';
import { createBrokerActivities } from '../activities/broker-activities.ts';
import { createBatchActivities } from '../activities/batch-activities.ts';
import { checkInputs } from '../activities/checked-inputs.ts';
import { createDrillActivities } from '../activities/drill-activities.ts';
import { createControlActivities } from '../activities/control-activities.ts';
import { createImportActivities } from '../activities/import-activities.ts';
import { DrillReports } from '../drills/reports.ts';
import { RepositoryChildren } from '../repository/access/children.ts';
import { onlyThose } from '../repository/access/configured.ts';
import { Grants } from '../repository/service/grants.ts';
import { childStepsOf } from '../sources/machine-child/children.ts';
import { configuredOnly } from '../system/configured-repositories.ts';
import { type Installation, loadConfig, places } from '../system/installation.ts';
import { reportersOf, repositoryNameOf } from '../system/site.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { logAttributes } from './activity-log.ts';
import { drillsIn, itemRecoveries } from './item-recoveries.ts';
import { workflowBundle } from './bundle.ts';
import type { TemporalAccess } from './connect.ts';
import { siteWorkflows } from './site-workflows.ts';
import { importSlots, workerTuning } from './tuning.ts';

/**
 * Runs workflows, plans and pins, and asks through `client` about workflows; beside it one that copies for imports, on a queue of
 * its own. Any number of them may run.
 */
export async function createControlWorkers(
	access: TemporalAccess,
	client: Client,
	installation: Installation,
): Promise<Worker[]> {
	const { connection, namespace, codec } = access;
	const { code } = await workflowBundle(installation.cacheDirectory);
	const children = RepositoryChildren.of(installation).prepare();
	const repositoryName = async (directory: string) => repositoryNameOf(await loadConfig(installation), directory);
	const { copyImport, ...imports } = createImportActivities(childStepsOf(installation), repositoryName);
	const shared = {
		...workerTuning,
		connection,
		namespace,
		dataConverter: { payloadCodecs: [codec] },
		interceptors: { activity: [logAttributes, checkInputs] },
	};
	const control = Worker.create({
		...shared,
		taskQueue: taskQueues.control,
		workflowBundle: { code },
		activities: {
			...createControlActivities({
				repositories: onlyThose(children, configuredOnly(installation)),
				repositoryName,
				grants: new Grants(installation.home),
			}),
			...createBrokerActivities(siteWorkflows(client, async () => reportersOf(await loadConfig(installation)))),
			...createBatchActivities(await itemRecoveries(access)),
			...createDrillActivities({
				...(await drillsIn(access, installation)),
				reports: new DrillReports(places.drills(installation.home)),
			}),
			...imports,
		},
	});
	const copy = Worker.create({
		...shared,
		taskQueue: taskQueues.controlCopy,
		maxConcurrentActivityTaskExecutions: importSlots,
		activities: { copyImport },
	});
	return Promise.all([control, copy]);
}
