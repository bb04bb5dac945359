import type {
	WorkflowExecutionDescription,
	WorkflowExecutionInfo,
	WorkflowExecutionStatusName,
} from '@temporalio/client';
import * as z from 'zod';
import type { ErrorDocument } from '../model/errors.ts';
import {
	type DiskProgress,
	diskProgressSchema,
	type Phase,
	phaseSchema,
	type RecoveryRequest,
	type RecoveryStatus,
	recoveryRequestSchema,
	recoveryStatusSchema,
} from '../model/recovery.ts';
import { recoveryNameOf, searchAttributes } from '../workflows/contracts.ts';
import { documentOf } from './failures.ts';
import type { ReadPayload } from './payloads.ts';

/** An activity that is not done: with its attempts, so that a retry loop is not a silent "running". */
export interface PendingStep {
	step: string;
	attempt: number;
	/** Somebody works on it now; else it waits for a worker or for its next attempt. */
	running: boolean;
	worker: string | undefined;
	lastFailure: ErrorDocument | undefined;
	/** What it says is in its way, while it is at work. */
	says: string | undefined;
	scheduledAt: string | undefined;
}

/** What can be said about a recovery without asking any worker; `show` enriches it when one answers. */
export interface RecoverySummary {
	name: string;
	/** Unknown until the workflow's first step. */
	recoveryId: string | undefined;
	/** Name of the batch that has started it. */
	batch: string | undefined;
	phase: Phase;
	/** Its workflow as Temporal sees it: a terminated one leaves its phase where it was. */
	workflow: WorkflowExecutionStatusName;
	request: RecoveryRequest | undefined;
	requestHash: string | undefined;
	/** By a key that is not configured here: Temporal tells its phase and no more. */
	sealed: boolean;
	/** As of the last visible change, or as of now when a worker answered. */
	status: RecoveryStatus | undefined;
	requestedAt: string;
	closedAt: string | undefined;
	workflowId: string;
	runId: string;
}

/** With what it is at now. */
export interface RecoveryGlance extends RecoverySummary {
	pending: PendingStep[];
}

export interface RecoveryDetails extends RecoveryGlance {
	asOf: string;
	/** Who the status is from: `memo` means that no worker answered. */
	statusFrom: 'worker' | 'memo';
	/** From the heartbeat of the copy slice: what is known when the supervisor cannot be asked. */
	disks: DiskProgress[] | undefined;
	restoredBytes: number | undefined;
}

const memoSchema = z.object({
	request: recoveryRequestSchema.optional().catch(undefined),
	requestHash: z.string().optional().catch(undefined),
	recoveryId: z.uuid().optional().catch(undefined),
	status: recoveryStatusSchema.optional().catch(undefined),
});

export function summarise(info: Omit<WorkflowExecutionInfo, 'raw'>): RecoverySummary {
	const memo = memoSchema.parse(info.memo ?? {});
	const phase = phaseSchema.safeParse(info.typedSearchAttributes.get(searchAttributes.phase));
	return {
		name: recoveryNameOf(info.workflowId),
		recoveryId: memo.recoveryId,
		batch: info.typedSearchAttributes.get(searchAttributes.batch),
		phase: phase.success ? phase.data : (memo.status?.phase ?? 'planned'),
		workflow: info.status.name,
		request: memo.request,
		requestHash: memo.requestHash,
		sealed: info.memo?.['requestHash'] === null,
		status: memo.status,
		requestedAt: memo.status?.timings.requestedAt ?? info.startTime.toISOString(),
		closedAt: info.closeTime?.toISOString(),
		workflowId: info.workflowId,
		runId: info.runId,
	};
}

const saysSchema = z.object({ reason: z.string() });
const progressSchema = z.object({ restoredBytes: z.int().min(0), disks: z.array(diskProgressSchema) });

export function pendingOf(
	description: WorkflowExecutionDescription,
	read: ReadPayload,
): Pick<RecoveryDetails, 'pending' | 'disks' | 'restoredBytes'> {
	const activities = description.raw.pendingActivities ?? [];
	let progress: z.infer<typeof progressSchema> | undefined;
	const pending = activities.map((activity): PendingStep => {
		const payload = activity.heartbeatDetails?.payloads?.[0];
		const beat = payload ? read(payload) : undefined;
		progress = progressSchema.safeParse(beat).data ?? progress;
		return {
			step: activity.activityType?.name ?? 'unknown',
			attempt: activity.attempt ?? 1,
			running: Number(activity.state) === startedState,
			worker: activity.lastWorkerIdentity || undefined,
			lastFailure: activity.lastFailure ? documentOf(activity.lastFailure, read) : undefined,
			says: saysSchema.safeParse(beat).data?.reason,
			scheduledAt: timestampToIso(activity.scheduledTime),
		};
	});
	return { pending, disks: progress?.disks, restoredBytes: progress?.restoredBytes };
}

/** PENDING_ACTIVITY_STATE_STARTED: temporal/api/enums/v1/workflow.proto. */
const startedState = 2;

export function timestampToIso(
	stamp: { seconds?: number | { toNumber(): number } | null; nanos?: number | null } | null | undefined,
): string | undefined {
	if (!stamp?.seconds) return undefined;
	const seconds = typeof stamp.seconds === 'number' ? stamp.seconds : stamp.seconds.toNumber();
	return new Date(seconds * 1000 + Math.floor((stamp.nanos ?? 0) / 1e6)).toISOString();
}
