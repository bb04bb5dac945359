import { proxyActivities } from '@temporalio/workflow';
import type { DrillActivities } from '../../activities/drill-activities.ts';
import type { HostActivities } from '../../activities/host-activities.ts';
import type { DrillTest } from '../../model/drill.ts';
import { factsOptions, lookOptions, reportOptions, testOptions } from '../activity-options.ts';
import { taskQueues } from '../contracts.ts';

const { findDrilled } = proxyActivities<DrillActivities>(factsOptions);
const { keepFindings, writeDrillReport } = proxyActivities<DrillActivities>(reportOptions);
export const drillControl = { findDrilled, keepFindings, writeDrillReport };

/** The host answers when a test's time is over; a worker that is away does not, and may come back. */
const awayMs = 120_000;

/** On the queue of what watches for long, so that no step of a recovery waits behind a test. */
export function drillStubs(hostId: string) {
	const taskQueue = taskQueues.hostCopy(hostId);
	const { lookAtMachine } = proxyActivities<HostActivities>({ ...lookOptions, taskQueue });
	return {
		lookAtMachine,
		runTest: (input: { hostId: string; name: string; recoveryId: string; generation: number; test: DrillTest }) =>
			proxyActivities<HostActivities>({
				...testOptions,
				scheduleToCloseTimeout: input.test.timeoutMs + awayMs,
				taskQueue,
			}).runTest(input),
	};
}
