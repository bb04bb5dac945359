import { type NativeConnection, Worker } from '@temporalio/worker';
import { createControlActivities } from '../activities/control-activities.ts';
import { RepositoryChildren } from '../repository/access/children.ts';
import type { Codec } from '../system/payload-codec.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { logAttributes } from './activity-log.ts';
import { workflowBundle } from './bundle.ts';
import { workerTuning } from './tuning.ts';

/** Runs workflows, plans and pins. Any number of them may run. */
export async function createControlWorker(
	connection: NativeConnection,
	namespace: string,
	{ cacheDirectory, codec }: { cacheDirectory: string; codec: Codec },
): Promise<Worker> {
	const { code } = await workflowBundle(cacheDirectory);
	return Worker.create({
		...workerTuning,
		connection,
		namespace,
		dataConverter: { payloadCodecs: [codec] },
		taskQueue: taskQueues.control,
		workflowBundle: { code },
		activities: createControlActivities({ repositories: RepositoryChildren.of({ cacheDirectory }).prepare() }),
		interceptors: { activity: [logAttributes] },
	});
}
