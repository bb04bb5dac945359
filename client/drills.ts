import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type WorkflowHandle } from '@temporalio/client';
import type { WorkflowExecutionStatusName } from '@temporalio/client';
import * as z from 'zod';
import type { DrillPlan } from '../model/drill.ts';
import type { DrillView } from '../model/drill-view.ts';
import { RouseError } from '../model/errors.ts';
import { searchAttributes, taskQueues } from '../workflows/contracts.ts';
import {
	cancelDrillUpdate,
	type DrillInput,
	type DrillMemo,
	drillViewQuery,
	drillWorkflow,
	drillWorkflowId,
} from '../workflows/drill-contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistory } from './history.ts';
import type { Why } from './orders.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** How long a client waits for a worker's answer. */
const queryLimitMs = 5_000;

/** What Temporal itself knows of a drill. */
export interface DrillSummary {
	name: string;
	/** Temporal's word: `COMPLETED` is over. */
	workflow: WorkflowExecutionStatusName;
	machines: number | null;
	requestedBy: string | null;
	reason: string | null;
	startedAt: string;
	closedAt: string | null;
}

const memoSchema = z.object({
	machines: z.int().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
	reason: z.string().nullable().catch(null),
});

/** Drills as Temporal knows them: started, listed, looked at, cancelled. */
export class Drills {
	readonly #client: TemporalClient['client'];
	readonly #caller: string;
	readonly #all: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.#client = temporal.client;
		this.#caller = temporal.caller;
		this.#all = new RecoveryWorkflows(temporal);
	}

	/** `name_conflict` when one of this name is under way. */
	async start(plan: DrillPlan): Promise<void> {
		const { name, items, requestedBy, reason } = plan.batch;
		const memo: DrillMemo = { name, machines: items.length, requestedBy, reason };
		const input: DrillInput = { plan };
		try {
			await this.#call(name, () =>
				this.#client.workflow.start(drillWorkflow, {
					workflowId: drillWorkflowId(name),
					taskQueue: taskQueues.control,
					args: [input],
					memo,
					typedSearchAttributes: [
						{ key: searchAttributes.phase, value: 'running' },
						{ key: searchAttributes.owner, value: this.#caller },
					],
					workflowIdConflictPolicy: 'FAIL',
					workflowIdReusePolicy: 'ALLOW_DUPLICATE',
					staticSummary: `${items.length} machines`,
				}),
			);
		} catch (cause) {
			if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
			throw new RouseError('name_conflict', `drill ${name} is under way`, { details: { drill: name }, cause });
		}
	}

	async list(): Promise<DrillSummary[]> {
		const newest = new Map<string, DrillSummary>();
		const query = `WorkflowType = '${drillWorkflow}'`;
		await this.#all.call(undefined, async () => {
			for await (const info of this.#client.workflow.list({ query })) {
				const entry = summarise(info);
				const known = newest.get(entry.name);
				if (!known || known.startedAt < entry.startedAt) newest.set(entry.name, entry);
			}
		});
		return [...newest.values()].toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: string): Promise<{ summary: DrillSummary; view: DrillView }> {
		const summary = summarise(await this.#call(name, () => this.#handle(name).describe()));
		const view = summary.workflow === 'COMPLETED' ? await this.#result(name) : await this.#query(name, summary);
		return { summary, view };
	}

	/** Everything of it is thrown away; `phase_wrong` when it is over. */
	async cancel(name: string, why: Why): Promise<void> {
		const { summary } = await this.view(name);
		const over = new RouseError('phase_wrong', `drill ${name} is over`, { details: { drill: name } });
		if (summary.workflow !== 'RUNNING') throw over;
		try {
			await this.#call(name, () =>
				this.#client.withDeadline(Date.now() + queryLimitMs, () =>
					this.#handle(name).executeUpdate(cancelDrillUpdate, { args: [{ by: this.#caller, ...why }] }),
				),
			);
		} catch (error) {
			if (error instanceof RouseError && error.code === 'drill_unknown') throw over;
			throw error;
		}
	}

	/** What happened, oldest first, in the newest drill of this name. */
	history(name: string): Promise<HistoryEntry[]> {
		return this.#call(name, () => readHistory(this.#client, drillWorkflowId(name), this.#all.read));
	}

	#handle(name: string): WorkflowHandle {
		return this.#client.workflow.getHandle(drillWorkflowId(name));
	}

	async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
		try {
			return await this.#all.call(undefined, call);
		} catch (error) {
			if (!(error instanceof WorkflowNotFoundError)) throw error;
			throw new RouseError('drill_unknown', `there is no drill ${name}`, { details: { drill: name }, cause: error });
		}
	}

	async #result(name: string): Promise<DrillView> {
		const view: DrillView = await this.#call(name, () => this.#handle(name).result());
		return view;
	}

	async #query(name: string, { workflow }: DrillSummary): Promise<DrillView> {
		try {
			return await this.#client.withDeadline(Date.now() + queryLimitMs, () => this.#handle(name).query(drillViewQuery));
		} catch (cause) {
			// One that refused its input has no view: what it failed with is thrown.
			if (workflow === 'FAILED') return this.#result(name);
			// Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.#call(name, () => this.#handle(name).describe());
			throw new RouseError('worker_missing', `no control worker told how drill ${name} stands`, {
				details: { drill: name },
				cause,
			});
		}
	}
}

interface Info {
	workflowId: string;
	status: { name: WorkflowExecutionStatusName };
	startTime: Date;
	closeTime?: Date | undefined;
	memo?: Record<string, unknown> | undefined;
}

function summarise({ workflowId, status, startTime, closeTime, memo }: Info): DrillSummary {
	return {
		name: workflowId.slice(workflowId.indexOf('/') + 1),
		workflow: status.name,
		...memoSchema.parse({
			machines: memo?.['machines'],
			requestedBy: memo?.['requestedBy'],
			reason: memo?.['reason'],
		}),
		startedAt: startTime.toISOString(),
		closedAt: closeTime?.toISOString() ?? null,
	};
}
