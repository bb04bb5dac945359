import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import * as z from 'zod';
import type { BatchPlan } from '../model/batch.ts';
import type { BatchView } from '../model/batch-view.ts';
import { RouseError } from '../model/errors.ts';
import { type BatchInput, type BatchMemo, batchWorkflowId } from '../workflows/batch-contracts.ts';
import { searchAttributes } from '../workflows/contracts.ts';
import { BatchOrders } from './batch/orders.ts';
import { isSamePlan } from './batch/same-plan.ts';
import { refuseUnfit } from './batch/unfit.ts';
import { batchKind, type BatchWorkflows, readPlan } from './batch/workflows.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistories } from './history.ts';
import { type KnownWorkflow, NamedWorkflows, summaryOf, type WorkflowSummary } from './named-workflows.ts';
import type { Why } from './orders.ts';

/** What Temporal itself knows of a batch. */
export interface BatchSummary extends WorkflowSummary {
	name: string;
	items: number | null;
}

/** `found`: names of machines of the batch that it has not started itself. */
type DiscardBatch = Why & { confirm: string; found?: string[] };

const memoSchema = z.object({ items: z.int().nullable().catch(null) });

/** Batches as Temporal knows them: started, listed, looked at, told. */
export class Batches {
	readonly #caller: string;
	readonly #workflows: BatchWorkflows;
	readonly #orders: BatchOrders;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#workflows = new NamedWorkflows(temporal, batchKind);
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
		return found?.status.name === 'RUNNING' ? readPlan(this.#workflows, name) : undefined;
	}

	list(): Promise<BatchSummary[]> {
		return this.#workflows.list(summarise);
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: string): Promise<{ summary: BatchSummary; view: BatchView }> {
		const description = await this.#workflows.describe(name);
		return { summary: summarise(description), view: await this.#workflows.view(name, description) };
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
		const plan = await readPlan(this.#workflows, name);
		await this.#begin(name, { plan, order: { ...order, by: this.#caller } });
	}

	async #begin(name: string, input: BatchInput): Promise<void> {
		const { plan } = input;
		refuseUnfit(input);
		const memo: BatchMemo = { name, items: plan.items.length, requestedBy: plan.requestedBy, reason: plan.reason };
		await this.#workflows.start(name, {
			args: [input],
			memo,
			typedSearchAttributes: [
				{ key: searchAttributes.batch, value: name },
				{ key: searchAttributes.phase, value: 'running' },
			],
			staticSummary: `${plan.items.length} machines`,
		});
	}

	async #mustHave(name: string, found: readonly string[]): Promise<void> {
		const names = new Set((await readPlan(this.#workflows, name)).items.map(item => item.name));
		const stranger = found.find(each => !names.has(each));
		if (stranger !== undefined)
			throw new RouseError('input_invalid', `${stranger} is no machine of batch ${name}`, { details: { batch: name } });
	}
}

function otherPlan(name: string): RouseError {
	return new RouseError('name_conflict', `batch ${name} is under way with another plan`, { details: { batch: name } });
}

function summarise(known: KnownWorkflow): BatchSummary {
	const { workflowId, memo } = known;
	return { name: workflowId.slice(workflowId.indexOf('/') + 1), ...memoSchema.parse(memo ?? {}), ...summaryOf(known) };
}
