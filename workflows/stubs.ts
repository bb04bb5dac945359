import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../activities/control-activities.ts';
import type { HostActivities } from '../activities/host-activities.ts';
import {
	askOptions,
	copyOptions,
	pinOptions,
	planOptions,
	reserveOptions,
	settleOptions,
	stepOptions,
	undoOptions,
	undoPinOptions,
} from './activity-options.ts';
import { taskQueues } from './contracts.ts';

export const { plan } = proxyActivities<ControlActivities>(planOptions);
export const { pin } = proxyActivities<ControlActivities>(pinOptions);
export const { unpin } = proxyActivities<ControlActivities>(pinOptions);
/** Before power-on; what is left of a pin then is named, and harms nothing but the room it holds. */
export const { unpin: undoPin } = proxyActivities<ControlActivities>(undoPinOptions);

export type HostStubs = ReturnType<typeof hostStubs>;

/** Activities of one host; the queue carries the host's random id, so that two hosts called `local` never meet. */
export function hostStubs(hostId: string) {
	const taskQueue = taskQueues.host(hostId);
	const { reserve } = proxyActivities<HostActivities>({ ...reserveOptions, taskQueue });
	const steps = proxyActivities<HostActivities>({ ...stepOptions, taskQueue });
	const settle = proxyActivities<HostActivities>({ ...settleOptions, taskQueue });
	const ask = proxyActivities<HostActivities>({ ...askOptions, taskQueue });
	const undo = proxyActivities<HostActivities>({ ...undoOptions, taskQueue });
	const copy = proxyActivities<HostActivities>({ ...copyOptions, taskQueue: taskQueues.hostCopy(hostId) });
	return {
		reserve,
		allocateDisks: steps.allocateDisks,
		createMachine: steps.createMachine,
		startMovers: steps.startMovers,
		takeSnapshot: steps.takeSnapshot,
		powerOn: steps.powerOn,
		retry: steps.retry,
		migrateChunks: copy.migrateChunks,
		switchToTarget: settle.switchToTarget,
		finalize: settle.finalize,
		discard: settle.discard,
		undoReservation: undo.discard,
		askPower: ask.power,
		askRetry: ask.retry,
	};
}
