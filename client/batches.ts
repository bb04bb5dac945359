import { WorkflowExecutionAlreadyStartedError, type WorkflowExecutionStatusName } from '@temporalio/client';
import * as z from 'zod';
import type { BatchPlan } from '../model/batch.ts';
import type { BatchView } from '../model/batch-view.ts';
import { RouseError } from '../model/errors.ts';
import {
	type BatchInput,
	type BatchMemo,
	batchViewQuery,
	batchWorkflow,
	batchWorkflowId,
} from '../workflows/batch-contracts.ts';
import { searchAttributes, taskQueues } from '../workflows/contracts.ts';
import { BatchOrders } from './batch/orders.ts';
import { isSamePlan } from './batch/same-plan.ts';
import { refuseUnfit } from './batch/unfit.ts';
import { BatchWorkflows } from './batch/workflows.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistories } from './history.ts';
import type { Why } from './orders.ts';

/** How long a client waits for a worker's answer. */
const queryLimitMs = 5_000;

/** What Temporal itself knows of a batch. */
export interface BatchSummary {
	name: string;
	/** Temporal's word: `COMPLETED` is over. */
	workflow: WorkflowExecutionStatusName;
	items: number | null;
	requestedBy: string | null;
	reason: string | null;
	startedAt: string;
	closedAt: string | null;
}

/** `found`: names of machines of the batch that it has not started itself. */
type DiscardBatch = Why & { confirm: string; found?: string[] };

const memoSchema = z.object({
	items: z.int().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
	reason: z.string().nullable().catch(null),
});

/** Batches as Temporal knows them: started, listed, looked at, told. */
export class Batches {
	readonly #caller: string;
	readonly #workflows: BatchWorkflows;
	readonly #orders: BatchOrders;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#workflows = new BatchWorkflows(temporal);
		this.#orders = new BatchOrders(this.#workflows, temporal.caller);
	}

	/**
	 * Starts it, or attaches to one that is under way with the same plan; `name_conflict` when that has another. One that is
	 * over is started again, and finds what exists. `again`: recoveries that were discarded or abandoned, or whose machine was
	 * removed, count as not there.
	 */
	async start(plan: BatchPlan, { again = false }: { again?: boolean } = {}): Promise<'started' | 'attached'> {
		for (;;) {
			const open = await this.openPlan(plan.name);
			if (open && isSamePlan(open, plan)) return 'attached';
			if (open) throw otherPlan(plan.name);
			try {
				await this.#begin(plan.name, { plan, again });
				return 'started';
			} catch (error) {
				// Somebody was faster: look again at what they started.
				if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
			}
		}
	}

	/** What a batch that is under way was told to do; undefined when none is. */
	async openPlan(name: string): Promise<BatchPlan | undefined> {
		const found = await this.#workflows.find(name);
		return found?.status.name === 'RUNNING' ? this.#workflows.plan(name) : undefined;
	}

	async list(): Promise<BatchSummary[]> {
		const newest = new Map<string, BatchSummary>();
		const query = `WorkflowType = '${batchWorkflow}' AND ExecutionStatus != 'ContinuedAsNew'`;
		await this.#workflows.all.call(undefined, async () => {
			for await (const info of this.#workflows.client.workflow.list({ query })) {
				const entry = summarise(info);
				const known = newest.get(entry.name);
				if (!known || known.startedAt < entry.startedAt) newest.set(entry.name, entry);
			}
		});
		return [...newest.values()].toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: string): Promise<{ summary: BatchSummary; view: BatchView }> {
		const summary = summarise(await this.#workflows.call(name, () => this.#workflows.handle(name).describe()));
		const view = summary.workflow === 'COMPLETED' ? await this.#result(name) : await this.#query(name, summary);
		return { summary, view };
	}

	/** Starts nothing more of it; what was started goes on. `phase_wrong` when it is over. */
	cancel(name: string, why: Why): Promise<void> {
		return this.#orders.cancel(name, why);
	}

	/**
	 * Refused, failed, left out and parked machines only. One that is over is started again for it; undefined is its number then.
	 * `again`: names of those that are begun anew although a host may have their machine (`place_unknown`).
	 */
	async retry(name: string, { again = [], ...why }: Why & { again?: string[] }): Promise<number | undefined> {
		if (again.length > 0) await this.#mustHave(name, again);
		const told = await this.#orders.retry(name, { ...why, again });
		if (told === undefined) await this.#beginAgain(name, { ...why, is: 'retry', again });
		return told;
	}

	/**
	 * Discards all recoveries that it has started, with what their guests wrote. `confirm` must be the name. Those that it only
	 * found are left, but for the ones that `found` names.
	 */
	async discard(name: string, { confirm, found = [], ...why }: DiscardBatch): Promise<number | undefined> {
		if (confirm !== name) throw new RouseError('input_invalid', `"${confirm}" is not the name of batch ${name}`);
		if (found.length > 0) await this.#mustHave(name, found);
		const told = await this.#orders.discard(name, { ...why, confirm, found });
		if (told === undefined) await this.#beginAgain(name, { ...why, is: 'discard', found });
		return told;
	}

	/** What happened in each of its beginnings, oldest first, over all runs of each. */
	histories(name: string): Promise<HistoryEntry[][]> {
		const { client, all } = this.#workflows;
		return this.#workflows.call(name, () => readHistories(client, batchWorkflowId(name), all.read));
	}

	async #beginAgain(
		name: string,
		order: Why & { is: 'retry' | 'discard'; found?: string[]; again?: string[] },
	): Promise<void> {
		const plan = await this.#workflows.plan(name);
		await this.#begin(name, { plan, order: { ...order, by: this.#caller } });
	}

	async #begin(name: string, input: BatchInput): Promise<void> {
		const { plan } = input;
		refuseUnfit(input);
		const memo: BatchMemo = { name, items: plan.items.length, requestedBy: plan.requestedBy, reason: plan.reason };
		await this.#workflows.call(name, () =>
			this.#workflows.client.workflow.start(batchWorkflow, {
				workflowId: batchWorkflowId(name),
				taskQueue: taskQueues.control,
				args: [input],
				memo,
				typedSearchAttributes: [
					{ key: searchAttributes.batch, value: name },
					{ key: searchAttributes.phase, value: 'running' },
					{ key: searchAttributes.owner, value: this.#caller },
				],
				workflowIdConflictPolicy: 'FAIL',
				workflowIdReusePolicy: 'ALLOW_DUPLICATE',
				staticSummary: `${plan.items.length} machines`,
			}),
		);
	}

	async #mustHave(name: string, found: readonly string[]): Promise<void> {
		const names = new Set((await this.#workflows.plan(name)).items.map(item => item.name));
		const stranger = found.find(each => !names.has(each));
		if (stranger !== undefined)
			throw new RouseError('input_invalid', `${stranger} is no machine of batch ${name}`, { details: { batch: name } });
	}

	async #result(name: string): Promise<BatchView> {
		const view: BatchView = await this.#workflows.call(name, () => this.#workflows.handle(name).result());
		return view;
	}

	async #query(name: string, { workflow }: BatchSummary): Promise<BatchView> {
		const { client } = this.#workflows;
		try {
			return await client.withDeadline(Date.now() + queryLimitMs, () =>
				this.#workflows.handle(name).query(batchViewQuery),
			);
		} catch (cause) {
			// One that refused its input has no view: what it failed with is thrown.
			if (workflow === 'FAILED') return this.#result(name);
			// Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.#workflows.find(name);
			throw new RouseError('worker_missing', `no control worker told how batch ${name} stands`, {
				details: { batch: name },
				cause,
			});
		}
	}
}

function otherPlan(name: string): RouseError {
	return new RouseError('name_conflict', `batch ${name} is under way with another plan`, { details: { batch: name } });
}

interface Info {
	workflowId: string;
	status: { name: WorkflowExecutionStatusName };
	startTime: Date;
	closeTime?: Date | undefined;
	memo?: Record<string, unknown> | undefined;
}

function summarise({ workflowId, status, startTime, closeTime, memo }: Info): BatchSummary {
	return {
		name: workflowId.slice(workflowId.indexOf('/') + 1),
		workflow: status.name,
		...memoSchema.parse({ items: memo?.['items'], requestedBy: memo?.['requestedBy'], reason: memo?.['reason'] }),
		startedAt: startTime.toISOString(),
		closedAt: closeTime?.toISOString() ?? null,
	};
}
