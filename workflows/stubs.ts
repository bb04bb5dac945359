import { proxyActivities } from '@temporalio/workflow';
import type { ControlActivities } from '../activities/control-activities.ts';
import type { HostActivities } from '../activities/host-activities.ts';
import type { ActivityInput } from '../model/activity-inputs.ts';
import {
	answerOptions,
	endingOptions,
	keepOptions,
	lateOptions,
	leavableQuestionOptions,
	leavableStepOptions,
	leavableUndoOptions,
	orderOptions,
	pauseOptions,
	pinOptions,
	planOptions,
	questionOptions,
	reserveInPoolOptions,
	readinessOptions,
	reserveOptions,
	sliceOptions,
	stepOptions,
	undoOptions,
} from './activity-options.ts';
import { taskQueues } from './contracts.ts';

/** Activities that need no host. */
export const control = {
	plan: proxyActivities<ControlActivities>(planOptions).plan,
	pin: proxyActivities<ControlActivities>(pinOptions).pin,
	unpin: proxyActivities<ControlActivities>(pinOptions).unpin,
	askBroker: proxyActivities<ControlActivities>(planOptions).askBroker,
};

/** The host answers when its time is over, and why then; a worker that is away does not. */
const answerMs = 30_000;

export type HostStubs = ReturnType<typeof hostStubs>;

/** Activities of one host; the queue carries the host's random id, so that two hosts called `local` never meet. */
export function hostStubs(hostId: string) {
	const taskQueue = taskQueues.host(hostId);
	const { reserve } = proxyActivities<HostActivities>({ ...reserveOptions, taskQueue });
	const { chooseHardware } = proxyActivities<HostActivities>({ ...questionOptions, taskQueue });
	const steps = proxyActivities<HostActivities>({ ...stepOptions, taskQueue });
	const ending = proxyActivities<HostActivities>({ ...endingOptions, taskQueue });
	const order = proxyActivities<HostActivities>({ ...orderOptions, taskQueue });
	const { keepFirstReads } = proxyActivities<HostActivities>({ ...keepOptions, taskQueue });
	const late = proxyActivities<HostActivities>({ ...lateOptions, taskQueue });
	// On both queues: a host that has all slots of one taken is no host that is gone.
	const answers = [taskQueue, taskQueues.hostCopy(hostId)].map(
		queue => proxyActivities<HostActivities>({ ...answerOptions, taskQueue: queue }).answer,
	);
	const undo = proxyActivities<HostActivities>({ ...undoOptions, taskQueue });
	const { pauseMigration } = proxyActivities<HostActivities>({ ...pauseOptions, taskQueue });
	const slices = proxyActivities<HostActivities>({ ...sliceOptions, taskQueue: taskQueues.hostCopy(hostId) });
	const checkReadiness = (input: ActivityInput<'checkReadiness'>) => {
		const scheduleToCloseTimeout = input.timeoutMs + answerMs;
		return proxyActivities<HostActivities>({
			...readinessOptions,
			scheduleToCloseTimeout,
			taskQueue: taskQueues.hostCopy(hostId),
		}).checkReadiness(input);
	};
	const leavableSteps = proxyActivities<HostActivities>({ ...leavableStepOptions, taskQueue });
	return {
		/** The steps before power-on of a recovery that leaves its host for another one when nobody there takes them. */
		orLeave: {
			reserve: proxyActivities<HostActivities>({ ...reserveInPoolOptions, taskQueue }).reserve,
			chooseHardware: proxyActivities<HostActivities>({ ...leavableQuestionOptions, taskQueue }).chooseHardware,
			unpinned: leavableSteps.unpinned,
			allocate: leavableSteps.allocate,
			createMachine: leavableSteps.createMachine,
			startMovers: leavableSteps.startMovers,
			snapshot: leavableSteps.snapshot,
			undo: proxyActivities<HostActivities>({ ...leavableUndoOptions, taskQueue }).undo,
		},
		reserve,
		chooseHardware,
		allocate: steps.allocate,
		createMachine: steps.createMachine,
		startMovers: steps.startMovers,
		snapshot: steps.snapshot,
		powerOn: steps.powerOn,
		retry: steps.retry,
		migrateChunks: slices.migrateChunks,
		pauseMigration,
		switchToTarget: ending.switchToTarget,
		finalize: ending.finalize,
		discard: ending.discard,
		undo: undo.undo,
		answers,
		checkReadiness,
		keepFirstReads,
		unpinned: steps.unpinned,
		oweUnpin: undo.oweUnpin,
		orderPower: order.power,
		orderRetry: order.retry,
		latePower: late.power,
	};
}
