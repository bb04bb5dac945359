/** What a broker's history tells of its grants, by the server's clock. */
import type { Client } from '@temporalio/client';
import type { temporal as api } from '@temporalio/proto';
import * as z from 'zod';
import { grantSchema } from '../model/broker.ts';
import { acquireSignal, brokerWorkflowId, leaseGrantedSignal } from '../workflows/broker-contracts.ts';

type HistoryEvent = api.api.history.v1.IHistoryEvent;

export interface Grant {
	/** Workflow of the recovery. */
	to: string;
	sentMs: number;
	/** When the broker knew that it had arrived: in the run that has sent it. */
	deliveredMs: number;
}

/** Of all runs of the broker, the oldest first. */
export async function brokerEvents(client: Client): Promise<HistoryEvent[]> {
	const runs: HistoryEvent[][] = [];
	for (let runId: string | undefined; ; ) {
		const { events } = await client.workflow.getHandle(brokerWorkflowId, runId).fetchHistory();
		runs.unshift(events ?? []);
		runId = events?.[0]?.workflowExecutionStartedEventAttributes?.continuedExecutionRunId || undefined;
		if (runId === undefined) return runs.flat();
	}
}

/** Those that were delivered, in the order of that: each by a signal, or those of one round by one activity. */
export function grantsIn(events: readonly HistoryEvent[]): Grant[] {
	const sent = new Map<string, Omit<Grant, 'deliveredMs'>[]>();
	const grants: Grant[] = [];
	for (const event of events) {
		const started = event.workflowExecutionStartedEventAttributes;
		if (started) sent.clear(); // numbers of events begin anew with each run
		const sentMs = timeOf(event);
		const initiated = event.signalExternalWorkflowExecutionInitiatedEventAttributes;
		if (initiated?.signalName === leaseGrantedSignal.name)
			sent.set(String(event.eventId), [{ to: initiated.workflowExecution?.workflowId ?? '', sentMs }]);
		const scheduled = event.activityTaskScheduledEventAttributes;
		if (scheduled?.activityType?.name === 'deliverGrants')
			sent.set(
				String(event.eventId),
				receivers(scheduled).map(to => ({ to, sentMs })),
			);
		const delivered =
			event.externalWorkflowExecutionSignaledEventAttributes?.initiatedEventId ??
			event.activityTaskCompletedEventAttributes?.scheduledEventId;
		for (const grant of sent.get(String(delivered)) ?? []) grants.push({ ...grant, deliveredMs: timeOf(event) });
	}
	return grants;
}

const deliveredSchema = z.object({ grants: z.array(grantSchema) });

function receivers({ input }: api.api.history.v1.IActivityTaskScheduledEventAttributes): string[] {
	const told: unknown = JSON.parse(Buffer.from(input?.payloads?.[0]?.data ?? []).toString());
	return deliveredSchema.parse(told).grants.map(({ workflowId }) => workflowId);
}

/** When a recovery heard of each of its grants. */
export async function heardTimes(client: Client, workflowId: string): Promise<number[]> {
	const { events } = await client.workflow.getHandle(workflowId).fetchHistory();
	const isGrant = ({ workflowExecutionSignaledEventAttributes: signaled }: HistoryEvent) =>
		signaled?.signalName === leaseGrantedSignal.name;
	return (events ?? []).filter(isGrant).map(timeOf);
}

/** When each request came. */
export function askedTimes(events: readonly HistoryEvent[]): number[] {
	const isRequest = ({ workflowExecutionSignaledEventAttributes: signaled }: HistoryEvent) =>
		signaled?.signalName === acquireSignal.name;
	return events.filter(isRequest).map(timeOf);
}

function timeOf({ eventTime }: HistoryEvent): number {
	return Number(eventTime?.seconds ?? 0) * 1_000 + Math.round((eventTime?.nanos ?? 0) / 1e6);
}
