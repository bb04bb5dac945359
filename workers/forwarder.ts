import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type pino from 'pino';
import type { Supervisor } from '../activities/host-step.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import { hostReportSignal, recoveryWorkflowId } from '../workflows/contracts.ts';
import { Reports, reportOf } from './reports.ts';

const pollEveryMs = 500;
const signalTimeoutMs = 5_000;

/**
 * Tells workflows what their host sees, until `signal` is aborted. A supervisor or server that is away is asked again: what
 * could not be told is told later, so nothing here ends the worker.
 */
export async function forwardReports(
	client: Client,
	supervisor: Supervisor,
	log: pino.Logger,
	signal: AbortSignal,
): Promise<void> {
	const reports = new Reports();
	let failing = '';
	while (!signal.aborted) {
		try {
			await forwardOnce(client, supervisor, reports, signal);
			failing = '';
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			if (reason !== failing && !signal.aborted) log.warn({ reason }, 'reports wait');
			failing = reason; // once a reason, not twice a second
		}
		await delay(pollEveryMs, undefined, { signal }).catch(() => undefined);
	}
}

export async function forwardOnce(
	client: Client,
	supervisor: Supervisor,
	reports: Reports,
	signal: AbortSignal,
): Promise<void> {
	const views = await supervisor.recoveries({ signal });
	reports.keepOnly(views);
	for (const view of views) if (view.state === 'active') await tell(client, supervisor, reports, view, signal);
}

async function tell(
	client: Client,
	supervisor: Supervisor,
	reports: Reports,
	view: RecoveryView,
	signal: AbortSignal,
): Promise<void> {
	const due = reports.due(view, performance.now());
	if (!due) return;
	const incidents = await supervisor.incidents(view.name, due.incidentsAfter, { signal });
	try {
		const handle = client.workflow.getHandle(recoveryWorkflowId(view.name));
		await client.withDeadline(Date.now() + signalTimeoutMs, () =>
			handle.signal(hostReportSignal, reportOf(view, incidents)),
		);
	} catch (error) {
		// Closed by force or lost with Temporal's database: nobody is left to hear it.
		if (!(error instanceof WorkflowNotFoundError)) throw error;
	}
	reports.told(view, incidents, performance.now());
}
