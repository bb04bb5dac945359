import type {
	WorkflowExecutionDescription,
	WorkflowExecutionInfo,
	WorkflowExecutionStatusName,
} from '@temporalio/client';
import { defaultPayloadConverter } from '@temporalio/common';
import * as z from 'zod';
import { type ErrorDocument, errorDocumentSchema, isErrorCode } from '../model/errors.ts';
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

/** An activity that is not done: with its attempts, so that a retry loop is not a silent "running". */
export interface PendingStep {
	step: string;
	attempt: number;
	/** Somebody works on it now; else it waits for a worker or for its next attempt. */
	running: boolean;
	worker: string | undefined;
	lastFailure: ErrorDocument | undefined;
	scheduledAt: string | undefined;
}

/** What can be said about a recovery without asking any worker; `show` enriches it when one answers. */
export interface RecoverySummary {
	name: string;
	/** Unknown until the workflow's first step. */
	recoveryId: string | undefined;
	phase: Phase;
	/** Its workflow as Temporal sees it: a terminated one leaves its phase where it was. */
	workflow: WorkflowExecutionStatusName;
	request: RecoveryRequest | undefined;
	requestHash: string | undefined;
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
	requestHash: z.string().optional(),
	recoveryId: z.uuid().optional(),
	status: recoveryStatusSchema.optional().catch(undefined),
});

export function summarise(info: Omit<WorkflowExecutionInfo, 'raw'>): RecoverySummary {
	const memo = memoSchema.parse(info.memo ?? {});
	const phase = phaseSchema.safeParse(info.typedSearchAttributes.get(searchAttributes.phase));
	return {
		name: recoveryNameOf(info.workflowId),
		recoveryId: memo.recoveryId,
		phase: phase.success ? phase.data : (memo.status?.phase ?? 'planned'),
		workflow: info.status.name,
		request: memo.request,
		requestHash: memo.requestHash,
		status: memo.status,
		requestedAt: memo.status?.timings.requestedAt ?? info.startTime.toISOString(),
		closedAt: info.closeTime?.toISOString(),
		workflowId: info.workflowId,
		runId: info.runId,
	};
}

const progressSchema = z.object({ restoredBytes: z.int().min(0), disks: z.array(diskProgressSchema) });

export function pendingOf(
	description: WorkflowExecutionDescription,
): Pick<RecoveryDetails, 'pending' | 'disks' | 'restoredBytes'> {
	const activities = description.raw.pendingActivities ?? [];
	let progress: z.infer<typeof progressSchema> | undefined;
	const pending = activities.map((activity): PendingStep => {
		const payload = activity.heartbeatDetails?.payloads?.[0];
		if (payload) progress = progressSchema.safeParse(defaultPayloadConverter.fromPayload(payload)).data ?? progress;
		return {
			step: activity.activityType?.name ?? 'unknown',
			attempt: activity.attempt ?? 1,
			running: Number(activity.state) === startedState,
			worker: activity.lastWorkerIdentity || undefined,
			lastFailure: activity.lastFailure ? documentOf(activity.lastFailure) : undefined,
			scheduledAt: timeOf(activity.scheduledTime),
		};
	});
	return { pending, disks: progress?.disks, restoredBytes: progress?.restoredBytes };
}

/** PENDING_ACTIVITY_STATE_STARTED: temporal/api/enums/v1/workflow.proto. */
const startedState = 2;

/** The parts of temporal.api.failure.v1.Failure that are read here. */
export interface FailureParts {
	message?: string | null;
	cause?: FailureParts | null;
	applicationFailureInfo?: {
		type?: string | null;
		details?: { payloads?: Parameters<typeof defaultPayloadConverter.fromPayload>[0][] | null } | null;
	} | null;
	timeoutFailureInfo?: { timeoutType?: number | null } | null;
}

/** TimeoutType of temporal/api/enums/v1/workflow.proto, by number. */
const timeoutWords = ['', 'the attempt took too long', 'no worker took it in time', 'it took too long', 'no heartbeat'];

/** Failures are made by us with a code as their type; all else (timeouts, SDK errors) is put into the same shape. */
export function documentOf(failure: FailureParts): ErrorDocument {
	const type = failure.applicationFailureInfo?.type;
	const message = failure.message ?? 'no message';
	if (failure.timeoutFailureInfo) {
		const why = timeoutWords[failure.timeoutFailureInfo.timeoutType ?? 0] || 'timed out';
		return { code: 'timeout', message: `${why}: the worker died or hangs` };
	}
	if (isErrorCode(type)) return detailOf(failure) ?? { code: type, message };
	return failure.cause ? documentOf(failure.cause) : { code: 'internal', message };
}

function detailOf(failure: FailureParts): ErrorDocument | undefined {
	const payload = failure.applicationFailureInfo?.details?.payloads?.[0];
	return payload && errorDocumentSchema.safeParse(defaultPayloadConverter.fromPayload(payload)).data;
}

function timeOf(
	stamp: { seconds?: number | { toNumber(): number } | null; nanos?: number | null } | null | undefined,
): string | undefined {
	if (!stamp?.seconds) return undefined;
	const seconds = typeof stamp.seconds === 'number' ? stamp.seconds : stamp.seconds.toNumber();
	return new Date(seconds * 1000 + Math.floor((stamp.nanos ?? 0) / 1e6)).toISOString();
}

export { timeOf as timestampToIso };
