import { setTimeout as delay } from 'node:timers/promises';
import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Supervisor } from '../activities/host-attempt.ts';
import { firstIncidents } from '../model/incidents.ts';
import type { Log } from '../system/log.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import { type HostReport, hostReportSignal, recoveryWorkflowId } from '../workflows/contracts.ts';
import { Reports, reportOf } from './reports.ts';

const pollEveryMs = 500;
const callTimeoutMs = 5_000;

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
	const workflows = workflowsOf(client);
	let failing = '';
	while (!signal.aborted) {
		try {
			await forwardOnce(supervisor, workflows, reports, signal);
			failing = '';
		} catch (error) {
			const reason = error instanceof Error ? error.message : String(error);
			if (reason !== failing && !signal.aborted) log.warn({ reason }, 'reports wait');
			failing = reason; // once a reason, not twice a second
		}
		await delay(pollEveryMs, undefined, { signal }).catch(() => undefined);
	}
}

/** The workflows of recoveries, as far as their hosts have to do with them. */
export interface Workflows {
	/** Brings a report to the workflow of a recovery; false when none is open. */
	report(name: string, report: HostReport): Promise<boolean>;
	/** The workflow of this very recovery is open. */
	isOpen(name: string, recoveryId: string): Promise<boolean>;
}

/** Reports to every workflow what is due. Throws the first failure, after all were tried. */
export async function forwardOnce(
	supervisor: Pick<Supervisor, 'recoveries' | 'incidents' | 'step'>,
	workflows: Workflows,
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
			// Seen anew in a moment, without what blocked it: nobody needs to be called for that.
			if (await letStart(view, supervisor, workflows, signal)) continue;
			// More than a signal takes comes with the next: a report that is too large would never arrive.
			const incidents = firstIncidents(await supervisor.incidents(view.name, due.incidentsAfter, { signal }));
			if (await workflows.report(view.name, reportOf(view, incidents))) reports.reported(view, incidents, nowMs());
			else reports.unheard(view, nowMs());
		} catch (error) {
			failures.push(error); // one that cannot be reported must not keep the others back
		}
	}
	if (failures.length > 0) throw failures[0];
}

/** A machine that was on when its host was started anew waits for this: its recovery is not over, nor given up. */
async function letStart(
	{ name, recoveryId, generation, blocked }: RecoveryView,
	supervisor: Pick<Supervisor, 'step'>,
	workflows: Workflows,
	signal: AbortSignal,
): Promise<boolean> {
	if (blocked?.code !== 'host_rebooted' || !(await workflows.isOpen(name, recoveryId))) return false;
	await supervisor.step(name, 'confirm-open', { recoveryId, generation }, { signal });
	return true;
}

function workflowsOf(client: Client): Workflows {
	const call = <T>(work: () => Promise<T>): Promise<T | false> =>
		client.withDeadline(Date.now() + callTimeoutMs, work).catch((error: unknown) => {
			// Closed by force or lost with Temporal's database: another one may take the recovery up.
			if (error instanceof WorkflowNotFoundError) return false as const;
			throw error;
		});
	const handleOf = (name: string) => client.workflow.getHandle(recoveryWorkflowId(name));
	return {
		report: (name, report) =>
			call(async () => {
				await handleOf(name).signal(hostReportSignal, report);
				return true;
			}),
		isOpen: (name, recoveryId) =>
			call(async () => {
				const { status, memo } = await handleOf(name).describe();
				return status.name === 'RUNNING' && memo?.['recoveryId'] === recoveryId;
			}),
	};
}
