import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Supervisor } from '../activities/host-attempt.ts';
import { firstIncidents } from '../model/incidents.ts';
import type { Log } from '../system/log.ts';
import { type HostReport, hostReportSignal, recoveryWorkflowId } from '../workflows/contracts.ts';
import { Reports, reportOf } from './reports.ts';

const pollEveryMs = 500;
const signalTimeoutMs = 5_000;

/**
 * Reports to workflows what their host sees, until `signal` is aborted. A supervisor or server that is away is asked
 * again: what could not be reported is reported later, so nothing here ends the worker.
 */
export async function forwardReports(
	client: Client,
	supervisor: Supervisor,
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const reports = new Reports();
	const send = sendBy(client);
	let failing = '';
	while (!signal.aborted) {
		try {
			await forwardOnce(supervisor, send, reports, signal);
			failing = '';
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			if (reason !== failing && !signal.aborted) log.warn({ reason }, 'reports wait');
			failing = reason; // once a reason, not twice a second
		}
		await delay(pollEveryMs, undefined, { signal }).catch(() => undefined);
	}
}

/** Brings a report to the workflow of a recovery; false when none is open. */
export type Send = (name: string, report: HostReport) => Promise<boolean>;

/** Reports to every workflow what is due. Throws the first failure, after all were tried. */
export async function forwardOnce(
	supervisor: Pick<Supervisor, 'recoveries' | 'incidents'>,
	send: Send,
	reports: Reports,
	signal: AbortSignal,
	nowMs = () => performance.now(),
): Promise<void> {
	const views = await supervisor.recoveries({ signal });
	reports.keepOnly(views);
	const failures: unknown[] = [];
	for (const view of views) {
		const due = view.state === 'active' && !signal.aborted && reports.due(view, nowMs());
		if (!due) continue;
		try {
			// More than a signal takes comes with the next: a report that is too large would never arrive.
			const incidents = firstIncidents(await supervisor.incidents(view.name, due.incidentsAfter, { signal }));
			if (await send(view.name, reportOf(view, incidents))) reports.reported(view, incidents, nowMs());
			else reports.unheard(view, nowMs());
		} catch (error) {
			failures.push(error); // one that cannot be reported must not keep the others back
		}
	}
	if (failures.length > 0) throw failures[0];
}

function sendBy(client: Client): Send {
	return async (name, report) => {
		try {
			const handle = client.workflow.getHandle(recoveryWorkflowId(name));
			await client.withDeadline(Date.now() + signalTimeoutMs, () => handle.signal(hostReportSignal, report));
			return true;
		} catch (error) {
			// Closed by force or lost with Temporal's database: another one may take the recovery up.
			if (error instanceof WorkflowNotFoundError) return false;
			throw error;
		}
	};
}
