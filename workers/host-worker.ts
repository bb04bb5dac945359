import { Worker } from '@temporalio/worker';
import { checkInputs } from '../activities/checked-inputs.ts';
import { recordFailedAttempts } from '../activities/failed-attempts.ts';
import { createHostActivities } from '../activities/host-activities.ts';
import type { HostDependencies } from '../activities/host-attempt.ts';
import { taskQueues } from '../workflows/contracts.ts';
import { logAttributes } from './activity-log.ts';
import { selftest, type RunSelftest } from '../activities/host/selftest.ts';
import type { TemporalAccess } from './connect.ts';
import { copySlots, hostSlots, workerTuning } from './tuning.ts';

/**
 * Two workers, one a queue: with all slots taken by what only watches, a power-on on the same queue would not start. Either says
 * that the host is there: with all slots of one taken it would be given up with machines that run.
 */
export async function createHostWorkers(
	{ connection, namespace, codec }: TemporalAccess,
	host: HostDependencies,
	runSelftest: RunSelftest,
): Promise<Worker[]> {
	const { migrateChunks, checkReadiness, runTest, lookAtMachine, answer, ...steps } = createHostActivities(host);
	const shared = {
		...workerTuning,
		connection,
		namespace,
		dataConverter: { payloadCodecs: [codec] },
		interceptors: { activity: [logAttributes, checkInputs, recordFailedAttempts(host.supervisor)] },
	};
	return Promise.all([
		Worker.create({
			...shared,
			taskQueue: taskQueues.host(host.hostId),
			maxConcurrentActivityTaskExecutions: hostSlots,
			activities: { ...steps, answer, selftest: selftest(host, runSelftest) },
		}),
		Worker.create({
			...shared,
			taskQueue: taskQueues.hostCopy(host.hostId),
			maxConcurrentActivityTaskExecutions: copySlots,
			activities: { migrateChunks, checkReadiness, runTest, lookAtMachine, answer },
		}),
	]);
}
