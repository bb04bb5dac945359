import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkInputs } from '../../../activities/checked-inputs.ts';
import { createControlActivities } from '../../../activities/control-activities.ts';
import { createHostActivities } from '../../../activities/host-activities.ts';
import type { Scheduled } from '../sandbox.ts';
import type { SeededHost } from './seeded-host.ts';

/** There is no broker that would be told. */
const reportCapacity = async () => undefined;

/** Does activities as the workers of a seeded host would. */
export function seededWorkers(host: SeededHost, hostId: string): (activity: Scheduled) => Promise<unknown> {
	const activities: Record<string, (input: never) => Promise<unknown>> = {
		...createControlActivities(host),
		...createHostActivities(
			{ hostId, supervisor: host.calls, recoveries: 8, reportCapacity, checks: '/nowhere' },
			{ sliceMs: 200, pollMs: 5 },
		),
	};
	return ({ type, input }) => {
		const perform = activities[type];
		if (perform === undefined) throw new Error(`no activity is called ${type}`);
		const logger = new DefaultLogger('ERROR');
		// Each is called with what the workflow gave it, if that is what a worker accepts.
		return new MockActivityEnvironment({ activityType: type }, { logger, interceptors: [checkInputs] }).run(
			perform as (given: unknown) => Promise<unknown>,
			input,
		);
	};
}
