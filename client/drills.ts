import { WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import * as z from 'zod';
import type { DrillPlan } from '../model/drill.ts';
import type { DrillView } from '../model/drill-view.ts';
import { RouseError } from '../model/errors.ts';
import { searchAttributes } from '../workflows/contracts.ts';
import {
	cancelDrillUpdate,
	type DrillInput,
	type DrillMemo,
	drillViewQuery,
	drillWorkflow,
	drillWorkflowId,
} from '../workflows/drill-contracts.ts';
import type { TemporalClient } from './connection.ts';
import type { HistoryEntry } from './history.ts';
import {
	type KnownWorkflow,
	NamedWorkflows,
	summaryOf,
	type WorkflowKind,
	type WorkflowSummary,
} from './named-workflows.ts';
import type { Why } from './orders.ts';

/** What Temporal itself knows of a drill. */
export interface DrillSummary extends WorkflowSummary {
	name: string;
	machines: number | null;
}

const memoSchema = z.object({ machines: z.int().nullable().catch(null) });

const kind: WorkflowKind<string, DrillView> = {
	type: drillWorkflow,
	id: drillWorkflowId,
	viewQuery: drillViewQuery,
	called: name => `drill ${name}`,
	details: name => ({ drill: name }),
	unknown: (name, cause) =>
		new RouseError('drill_unknown', `there is no drill ${name}`, { details: { drill: name }, cause }),
};

/** Drills as Temporal knows them: started, listed, looked at, cancelled. */
export class Drills {
	readonly #workflows: NamedWorkflows<string, DrillView>;

	constructor(temporal: TemporalClient) {
		this.#workflows = new NamedWorkflows(temporal, kind);
	}

	/** `name_conflict` when one of this name is under way. */
	async start(plan: DrillPlan): Promise<void> {
		const { name, items, requestedBy, reason } = plan.batch;
		const memo: DrillMemo = { name, machines: items.length, requestedBy, reason };
		const input: DrillInput = { plan };
		try {
			await this.#workflows.start(name, {
				args: [input],
				memo,
				typedSearchAttributes: [{ key: searchAttributes.phase, value: 'running' }],
				staticSummary: `${items.length} machines`,
			});
		} catch (cause) {
			if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
			throw new RouseError('name_conflict', `drill ${name} is under way`, { details: { drill: name }, cause });
		}
	}

	list(): Promise<DrillSummary[]> {
		return this.#workflows.list(summarise);
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: string): Promise<{ summary: DrillSummary; view: DrillView }> {
		const description = await this.#workflows.describe(name);
		return { summary: summarise(description), view: await this.#workflows.view(name, description) };
	}

	/** Everything of it is thrown away; `phase_wrong` when it is over, `worker_missing` when no control worker takes that in time. */
	cancel(name: string, why: Why): Promise<void> {
		return this.#workflows.cancel(name, cancelDrillUpdate, why);
	}

	/** What happened, oldest first, in the newest drill of this name. */
	history(name: string): Promise<HistoryEntry[]> {
		return this.#workflows.history(name);
	}
}

function summarise(known: KnownWorkflow): DrillSummary {
	const { workflowId, memo } = known;
	return { name: workflowId.slice(workflowId.indexOf('/') + 1), ...memoSchema.parse(memo ?? {}), ...summaryOf(known) };
}
