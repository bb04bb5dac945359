import { type Client, isGrpcServiceError } from '@temporalio/client';
import type { temporal } from '@temporalio/proto';
import type { ErrorDocument } from '../model/errors.ts';
import { recoveryNameOf } from '../workflows/contracts.ts';
import { documentOf } from './failures.ts';
import type { ReadPayload } from './payloads.ts';
import { timestampToIso } from './summaries.ts';

type HistoryEvent = temporal.api.history.v1.IHistoryEvent;
type Payloads = temporal.api.common.v1.IPayloads;

/** One thing that happened, as Temporal recorded it. What a retried step failed with before is in the incident log. */
export interface HistoryEntry {
	at: string;
	eventId: number;
	runId: string;
	kind:
		| 'started'
		| 'continued'
		| 'step_scheduled'
		| 'step_started'
		| 'step_finished'
		| 'step_failed'
		| 'step_canceled'
		| 'asked'
		| 'answered'
		| 'reported'
		| 'told'
		| 'changed'
		| 'child_started'
		| 'child_refused'
		| 'cancel_requested'
		| 'finished'
		| 'failed'
		| 'canceled'
		| 'terminated';
	/** Step, update or signal; of a child the recovery. */
	name?: string;
	/** Attempts a step took. */
	attempt?: number;
	/** Worker that did it. */
	worker?: string;
	/** What was said: arguments of a step, an order or a report; the new memo of a change; a result. */
	content?: unknown;
	failure?: ErrorDocument;
}

/** NOT_FOUND: https://grpc.github.io/grpc/core/md_doc_statuscodes.html */
const notFound = '5';

type Part = Omit<HistoryEntry, 'at' | 'eventId' | 'runId'>;

/**
 * All runs, oldest first, of the newest workflow with this id, up to `runId` where one is meant; `sinceMs`: but for those that were
 * over before.
 */
export async function readHistory(
	client: Client,
	workflowId: string,
	read: ReadPayload,
	{ runId, sinceMs = 0 }: { runId?: string | undefined; sinceMs?: number } = {},
): Promise<HistoryEntry[]> {
	const newest = runId ?? (await client.workflow.getHandle(workflowId).describe()).runId;
	let isEnough = false;
	const fetch = async (run: string) => {
		if (isEnough) return undefined;
		const events = await eventsOf(client, workflowId, run);
		isEnough = Date.parse(timestampToIso(events?.[0]?.eventTime) ?? '') < sinceMs;
		return events;
	};
	return followRuns(newest, fetch, read);
}

/**
 * The same of all that had this id one after the other, the oldest first, as far back as the server remembers. What a run was
 * reset to is in both runs, and is told once.
 */
export async function readHistories(client: Client, workflowId: string, read: ReadPayload): Promise<HistoryEntry[][]> {
	// What is listed lags behind: the newest is asked for.
	const last = new Set([(await client.workflow.getHandle(workflowId).describe()).runId]);
	const query = `WorkflowId = '${workflowId}' AND ExecutionStatus != 'ContinuedAsNew'`;
	for await (const { runId } of client.workflow.list({ query })) last.add(runId);
	const seen = new Set<string>();
	const fetch = async (runId: string) => {
		if (seen.has(runId)) return undefined;
		seen.add(runId);
		return eventsOf(client, workflowId, runId);
	};
	const histories: HistoryEntry[][] = [];
	for (const runId of last) histories.push(await followRuns(runId, fetch, read));
	return inOrder(histories);
}

/** Without what an earlier one has told already: the same event at the same time. */
export function inOrder(histories: readonly HistoryEntry[][]): HistoryEntry[][] {
	const told = new Set<string>();
	return histories
		.filter(({ length }) => length > 0)
		.toSorted(
			(a, b) =>
				(a[0]?.at ?? '').localeCompare(b[0]?.at ?? '') || (a.at(-1)?.at ?? '').localeCompare(b.at(-1)?.at ?? ''),
		)
		.map(entries =>
			entries.filter(({ at, eventId, kind }) => {
				const event = `${at} ${eventId} ${kind}`;
				return told.size < told.add(event).size;
			}),
		)
		.filter(({ length }) => length > 0);
}

/**
 * From the newest run back: one that continued as new names its predecessor. Of a recovery that lasts longer than the
 * server remembers closed runs, its history begins with the first that it still has.
 */
export async function followRuns(
	newest: string,
	fetch: (runId: string) => Promise<readonly HistoryEvent[] | undefined>,
	read: ReadPayload,
): Promise<HistoryEntry[]> {
	const runs: HistoryEntry[][] = [];
	for (let runId: string | undefined = newest; runId; ) {
		const events = await fetch(runId);
		if (events === undefined) break;
		runs.unshift(entriesOf(events, runId, read));
		runId = events[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
	}
	return runs.flat();
}

/** Undefined for a run that the server has forgotten. */
async function eventsOf(
	client: Client,
	workflowId: string,
	runId: string,
): Promise<readonly HistoryEvent[] | undefined> {
	try {
		return (await client.workflow.getHandle(workflowId, runId).fetchHistory()).events ?? [];
	} catch (error) {
		// SDK 1.24 gives the errors of this call as gRPC has them.
		if (isGrpcServiceError(error) && String(error.code) === notFound) return undefined;
		throw error;
	}
}

function entriesOf(events: readonly HistoryEvent[], runId: string, read: ReadPayload): HistoryEntry[] {
	const steps = new Map<string, string>();
	const entries: HistoryEntry[] = [];
	for (const event of events) {
		const scheduled = event.activityTaskScheduledEventAttributes;
		if (scheduled) steps.set(String(event.eventId), scheduled.activityType?.name ?? 'unknown');
		const part = stepPart(event, steps, read) ?? childPart(event) ?? messagePart(event, read) ?? endPart(event, read);
		if (part)
			entries.push({ at: timestampToIso(event.eventTime) ?? '', eventId: Number(event.eventId), runId, ...part });
	}
	return entries;
}

function stepPart(event: HistoryEvent, steps: ReadonlyMap<string, string>, read: ReadPayload): Part | undefined {
	const named = (id: unknown) => ({ name: steps.get(String(id)) ?? 'unknown' });
	const scheduled = event.activityTaskScheduledEventAttributes;
	if (scheduled) return { kind: 'step_scheduled', ...named(event.eventId), content: first(scheduled.input, read) };
	const started = event.activityTaskStartedEventAttributes;
	if (started)
		return {
			kind: 'step_started',
			...named(started.scheduledEventId),
			attempt: started.attempt ?? 1,
			...(started.identity ? { worker: started.identity } : {}),
			...(started.lastFailure ? { failure: documentOf(started.lastFailure, read) } : {}),
		};
	const completed = event.activityTaskCompletedEventAttributes;
	if (completed)
		return { kind: 'step_finished', ...named(completed.scheduledEventId), content: first(completed.result, read) };
	const failed = event.activityTaskFailedEventAttributes ?? event.activityTaskTimedOutEventAttributes;
	if (failed)
		return {
			kind: 'step_failed',
			...named(failed.scheduledEventId),
			...(failed.failure ? { failure: documentOf(failed.failure, read) } : {}),
		};
	const canceled = event.activityTaskCanceledEventAttributes;
	return canceled ? { kind: 'step_canceled', ...named(canceled.scheduledEventId) } : undefined;
}

/** Recoveries that a batch has started. */
function childPart(event: HistoryEvent): Part | undefined {
	const started = event.childWorkflowExecutionStartedEventAttributes?.workflowExecution?.workflowId;
	if (started) return { kind: 'child_started', name: recoveryNameOf(started) };
	const refused = event.startChildWorkflowExecutionFailedEventAttributes?.workflowId;
	return refused ? { kind: 'child_refused', name: recoveryNameOf(refused) } : undefined;
}

function messagePart(event: HistoryEvent, read: ReadPayload): Part | undefined {
	const started = event.workflowExecutionStartedEventAttributes;
	if (started)
		return { kind: started.continuedExecutionRunId ? 'continued' : 'started', content: first(started.input, read) };
	const accepted = event.workflowExecutionUpdateAcceptedEventAttributes?.acceptedRequest?.input;
	if (accepted) return { kind: 'asked', name: accepted.name ?? 'unknown', content: first(accepted.args, read) };
	const answered = event.workflowExecutionUpdateCompletedEventAttributes?.outcome?.failure;
	if (answered) return { kind: 'answered', failure: documentOf(answered, read) };
	const signaled = event.workflowExecutionSignaledEventAttributes;
	if (signaled)
		return { kind: 'reported', name: signaled.signalName ?? 'unknown', content: first(signaled.input, read) };
	const told = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
	if (told) return { kind: 'told', name: told.signalName ?? 'unknown', content: first(told.input, read) };
	const memo = event.workflowPropertiesModifiedEventAttributes?.upsertedMemo?.fields?.['status'];
	return memo ? { kind: 'changed', content: read(memo) } : undefined;
}

function endPart(event: HistoryEvent, read: ReadPayload): Part | undefined {
	if (event.workflowExecutionCancelRequestedEventAttributes) return { kind: 'cancel_requested' };
	const completed = event.workflowExecutionCompletedEventAttributes;
	if (completed) return { kind: 'finished', content: first(completed.result, read) };
	const failed = event.workflowExecutionFailedEventAttributes;
	if (failed) return { kind: 'failed', ...(failed.failure ? { failure: documentOf(failed.failure, read) } : {}) };
	if (event.workflowExecutionCanceledEventAttributes) return { kind: 'canceled' };
	const terminated = event.workflowExecutionTerminatedEventAttributes;
	if (terminated) return { kind: 'terminated', content: terminated.reason };
	return undefined;
}

function first(payloads: Payloads | null | undefined, read: ReadPayload): unknown {
	const payload = payloads?.payloads?.[0];
	return payload ? read(payload) : undefined;
}
