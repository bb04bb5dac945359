/** How every worker of ours is set, and why. */
import type { WorkerOptions } from '@temporalio/worker';

export const workerTuning = {
	// The SDK cancels running activities at once unless told otherwise; they are given a moment to end by themselves, and
	// the whole stays within the ten seconds that a keeper waits.
	shutdownGraceTime: '4s',
	shutdownForceTime: '9s',
	// Default 60 s: heartbeats carry progress and bring cancellations, and what was not sent is lost with a killed worker.
	maxHeartbeatThrottleInterval: '5s',
	defaultHeartbeatThrottleInterval: '5s',
	// Default 10 s: that long a workflow waits for a dead worker before another replays it.
	stickyQueueScheduleToStartTimeout: '3s',
} satisfies Partial<WorkerOptions>;

/** Short steps of many recoveries at once; the supervisor orders those of one recovery. */
export const hostSlots = 32;

/** A slice only watches a mover, and a check of readiness a guest: one of each for 64 recoveries. Of more some wait for a slot. */
export const copySlots = 128;

/** Copies of imports, a process each that takes what processors it finds: of more all are slower, and each wants memory. */
export const importSlots = 2;
