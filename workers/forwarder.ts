import { setTimeout as delay } from 'node:timers/promises';
import { type Client, type WorkflowExecutionDescription, WorkflowNotFoundError } from '@temporalio/client';
import * as z from 'zod';
import type { Supervisor } from '../activities/host-attempt.ts';
import { firstIncidents } from '../model/incidents.ts';
import { type Incident, powerSchema } from '../model/recovery.ts';
import type { Log } from '../system/log.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import {
	generationsUnderway,
	type HostReport,
	hostReportSignal,
	recoveryWorkflowId,
	searchAttributes,
} from '../workflows/contracts.ts';
import { Reports, reportOf } from './reports.ts';

const pollEveryMs = 500;
const callTimeoutMs = 5_000;

/**
 * Reports to workflows what their host sees, until `signal` is aborted. A supervisor or server that is away is asked
 * again: what could not be reported is reported later, so nothing here ends the worker.
 */
export async function forwardReports(
	client: Client,
	{ supervisor, hostId }: { supervisor: Supervisor; hostId: string },
	log: Log,
	signal: AbortSignal,
): Promise<void> {
	const reports = new Reports();
	const workflows = workflowsOf(client, hostId);
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
	/** How the workflow of this very recovery stands; `closed` also when there is none. */
	standing(seen: Seen): Promise<Standing>;
}

type Seen = Pick<RecoveryView, 'name' | 'recoveryId' | 'power'>;

/**
 * `abandoned`: it gives its host up, or has done so. `knows`: it is open, has dealt with all that it was told, and shows the
 * machine's power as it was seen, and nothing for which it waits.
 */
export type Standing = 'open' | 'knows' | 'closed' | 'abandoned';

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
			const standing = await workflows.standing(view);
			if (standing === 'abandoned') await supervisor.step(...abandonment(view), { signal });
			if (standing === 'abandoned' || standing === 'closed') {
				reports.unheard(view, nowMs());
				continue;
			}
			// Seen anew in a moment, without what blocked it: nobody needs to be called for that.
			if (view.blocked?.code === 'host_rebooted') {
				await supervisor.step(...confirmation(view), { signal });
				continue;
			}
			// More than a signal takes comes with the next: a report that is too large would never arrive.
			const incidents = firstIncidents(await supervisor.incidents(view.name, due.incidentsAfter, { signal }));
			if (standing === 'knows' && isPowerAlone(view, incidents)) reports.reported(view, [], nowMs());
			else if (await workflows.report(view.name, reportOf(view, incidents))) reports.reported(view, incidents, nowMs());
			else reports.unheard(view, nowMs());
		} catch (error) {
			failures.push(error); // one that cannot be reported must not keep the others back
		}
	}
	if (failures.length > 0) throw failures[0];
}

/** The report would say nothing but the power: an event of the workflow's history, and mostly a task of three more. */
function isPowerAlone({ blocked, powerOrder }: RecoveryView, incidents: readonly Incident[]): boolean {
	return blocked === null && powerOrder === 0 && incidents.length === 0;
}

/**
 * Durable on the host from then on: neither a boot nor a death makes it start the machine of a recovery given up. Above what
 * its workflow may have sent, and below all of one that takes the recovery up again (workflows/adopted.ts).
 */
function abandonment({ name, recoveryId, generation }: RecoveryView) {
	return [name, 'abandon', { recoveryId, generation: generation + generationsUnderway }] as const;
}

/** A machine that was on when its host was started anew waits for this: its recovery is not over, nor given up. */
function confirmation({ name, recoveryId, generation }: RecoveryView) {
	return [name, 'confirm-open', { recoveryId, generation }] as const;
}

function workflowsOf(client: Client, hostId: string): Workflows {
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
				await handleOf(name).signal(hostReportSignal, { ...report, hostId });
				return true;
			}),
		standing: async ({ name, recoveryId, power }) =>
			(await call(() => standingOf(client.workflow, { name, recoveryId, power, hostId }))) || 'closed',
	};
}

const memoSchema = z.object({ recoveryId: z.string(), request: z.object({ hostId: z.string() }) });

/** Of a workflow that has not told of itself yet there is none. */
const shownSchema = z.object({ status: z.object({ power: powerSchema, parked: z.null() }) });

/**
 * Of this very recovery, and here: one over a pool that has left this host runs on another, and whether it is open, or gives
 * its host up, says nothing of what is left here.
 */
function isHere(memo: unknown, { recoveryId, hostId }: { recoveryId: string; hostId: string }): boolean {
	const known = memoSchema.safeParse(memo).data;
	return known?.recoveryId === recoveryId && known.request.hostId === hostId;
}

type Described = Pick<WorkflowExecutionDescription, 'memo' | 'status' | 'typedSearchAttributes'> & {
	raw: Pick<WorkflowExecutionDescription['raw'], 'pendingWorkflowTask'>;
};

/** What is asked of Temporal's client. */
interface Asked {
	getHandle(workflowId: string): { describe(): Promise<Described> };
	list(options: { query: string }): AsyncIterable<Pick<Described, 'memo'>>;
}

/** The name may be another recovery's by now: then the one that was given up is looked for among the older ones. */
export async function standingOf(
	workflow: Asked,
	{ name, power, ...here }: Seen & { hostId: string },
): Promise<Standing> {
	const id = recoveryWorkflowId(name);
	const newest = await workflow.getHandle(id).describe();
	if (isHere(newest.memo, here)) {
		const phase = newest.typedSearchAttributes.get(searchAttributes.phase);
		if (phase === 'abandoning' || phase === 'abandoned') return 'abandoned';
		if (newest.status.name !== 'RUNNING' && newest.status.name !== 'PAUSED') return 'closed';
		// What it was told last and has not heeded yet is not in its memo.
		const shown = newest.raw.pendingWorkflowTask ? undefined : shownSchema.safeParse(newest.memo).data;
		return shown?.status.power === power ? 'knows' : 'open';
	}
	const query = `WorkflowId = '${id}' AND ${searchAttributes.phase.name} = 'abandoned'`;
	for await (const { memo } of workflow.list({ query })) if (isHere(memo, here)) return 'abandoned';
	return 'closed';
}
