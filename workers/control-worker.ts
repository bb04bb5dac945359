import { Worker } from '@temporalio/worker';
import { checkInputs } from '../activities/checked-inputs.ts';
import { createControlActivities } from '../activities/control-activities.ts';
import { RepositoryChildren } from '../repository/access/children.ts';
import { onlyThose } from '../repository/access/configured.ts';
import { Grants } from '../repository/service/grants.ts';
import { configuredOnly } from '../system/configured-repositories.ts';
import type { Installation } from '../system/installation.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { logAttributes } from './activity-log.ts';
import { workflowBundle } from './bundle.ts';
import type { TemporalAccess } from './connect.ts';
import { workerTuning } from './tuning.ts';

/** Runs workflows, plans and pins. Any number of them may run. */
export async function createControlWorker(
	{ connection, namespace, codec }: TemporalAccess,
	installation: Installation,
): Promise<Worker> {
	const { code } = await workflowBundle(installation.cacheDirectory);
	const children = RepositoryChildren.of(installation).prepare();
	return Worker.create({
		...workerTuning,
		connection,
		namespace,
		dataConverter: { payloadCodecs: [codec] },
		taskQueue: taskQueues.control,
		workflowBundle: { code },
		activities: createControlActivities({
			repositories: onlyThose(children, configuredOnly(installation)),
			grants: new Grants(installation.home),
		}),
		interceptors: { activity: [logAttributes, checkInputs] },
	});
}
