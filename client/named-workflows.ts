import {
	type QueryDefinition,
	type WorkflowExecutionDescription,
	type WorkflowExecutionInfo,
	type WorkflowExecutionStatusName,
	type WorkflowHandle,
	WorkflowNotFoundError,
	type WorkflowStartOptions,
} from '@temporalio/client';
import type { UpdateDefinition } from '@temporalio/common';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { type Asked, searchAttributes, taskQueues } from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistory } from './history.ts';
import type { Why } from './orders.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** How long a client waits for a worker's answer. */
const answerLimitMs = 5_000;

/** What the workflows of one kind have in common. */
export interface WorkflowKind<Name, View> {
	type: string;
	id: (name: Name) => string;
	/** Where a name may mean one run alone; absent: always the latest. */
	runId?: (name: Name) => string | undefined;
	viewQuery: QueryDefinition<View>;
	/** As in "how … stands", and for the details of an error. */
	called: (name: Name) => string;
	details: (name: Name) => Record<string, string>;
	unknown: (name: Name, cause: unknown) => RouseError;
}

/** What Temporal itself knows of one. */
export interface WorkflowSummary {
	/** Temporal's word: `COMPLETED` is over. */
	workflow: WorkflowExecutionStatusName;
	requestedBy: string | null;
	reason: string | null;
	startedAt: string;
	closedAt: string | null;
}

const memoSchema = z.object({
	requestedBy: z.string().nullable().catch(null),
	reason: z.string().nullable().catch(null),
});

export type KnownWorkflow = Pick<WorkflowExecutionInfo, 'workflowId' | 'status' | 'startTime' | 'closeTime' | 'memo'>;

/**
 * Workflows of one kind, of which each completes with the view that it can be asked for: batches, drills, imports. (A recovery
 * tells in its memo how it stands, and needs no worker for it.)
 */
export class NamedWorkflows<Name, View> {
	readonly client: TemporalClient['client'];
	readonly all: RecoveryWorkflows;
	readonly #caller: string;
	readonly #kind: WorkflowKind<Name, View>;

	constructor(temporal: TemporalClient, kind: WorkflowKind<Name, View>) {
		this.client = temporal.client;
		this.all = new RecoveryWorkflows(temporal);
		this.#caller = temporal.caller;
		this.#kind = kind;
	}

	handle(name: Name): WorkflowHandle {
		return this.client.workflow.getHandle(this.#kind.id(name), this.#kind.runId?.(name));
	}

	/** Temporal's "already started" comes through as it is; the kind's `unknown` when there is none of that name. */
	async call<T>(name: Name, call: () => Promise<T>): Promise<T> {
		try {
			return await this.all.call(undefined, call);
		} catch (error) {
			throw error instanceof WorkflowNotFoundError ? this.#kind.unknown(name, error) : error;
		}
	}

	describe(name: Name): Promise<WorkflowExecutionDescription> {
		return this.call(name, () => this.handle(name).describe());
	}

	/** Undefined when there is none of that name. */
	async find(name: Name): Promise<WorkflowExecutionDescription | undefined> {
		try {
			return await this.all.call(undefined, () => this.handle(name).describe());
		} catch (error) {
			if (!(error instanceof WorkflowNotFoundError)) throw error;
			return undefined;
		}
	}

	/** The run's id; Temporal's "already started" while one of that name is under way. */
	async start(
		name: Name,
		{
			typedSearchAttributes,
			...of
		}: Pick<WorkflowStartOptions, 'memo' | 'staticSummary'> & {
			args: [unknown];
			typedSearchAttributes: Extract<WorkflowStartOptions['typedSearchAttributes'], unknown[]>;
		},
	): Promise<string> {
		const { firstExecutionRunId } = await this.call(name, () =>
			this.client.workflow.start(this.#kind.type, {
				workflowId: this.#kind.id(name),
				taskQueue: taskQueues.control,
				...of,
				typedSearchAttributes: [...typedSearchAttributes, { key: searchAttributes.owner, value: this.#caller }],
				workflowIdConflictPolicy: 'FAIL',
				workflowIdReusePolicy: 'ALLOW_DUPLICATE',
			}),
		);
		return firstExecutionRunId;
	}

	/** The newest of each name, the latest first. `where`: in Temporal's language for lists. */
	list<T extends WorkflowSummary>(summarise: (info: KnownWorkflow) => T, where = ''): Promise<T[]> {
		const query = `WorkflowType = '${this.#kind.type}' AND ExecutionStatus != 'ContinuedAsNew'${where}`;
		return this.all.call(undefined, () =>
			newestOf(this.client.workflow.list({ query }), summarise, ({ startedAt }) => startedAt),
		);
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: Name, { status }: KnownWorkflow): Promise<View> {
		if (status.name === 'COMPLETED') return this.#result(name);
		try {
			return await this.client.withDeadline(Date.now() + answerLimitMs, () =>
				this.handle(name).query(this.#kind.viewQuery),
			);
		} catch (cause) {
			// One that refused its input has no view: what it failed with is thrown.
			if (status.name === 'FAILED') return this.#result(name);
			// Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.describe(name);
			throw this.#unanswered(name, `no control worker told how ${this.#kind.called(name)} stands`, cause);
		}
	}

	/** `phase_wrong` when it is over, `worker_missing` when no control worker takes that in time: then it may still take effect. */
	async cancel(name: Name, update: UpdateDefinition<void, [Asked]>, why: Why): Promise<void> {
		await this.#mustRun(name);
		try {
			await this.client.withDeadline(Date.now() + answerLimitMs, () =>
				this.handle(name).executeUpdate(update, { args: [{ by: this.#caller, ...why }] }),
			);
		} catch (cause) {
			const told = this.all.translated(cause);
			if (told instanceof RouseError && told.code !== 'temporal_unreachable') throw told;
			// It may have ended meanwhile. Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.#mustRun(name);
			throw this.#unanswered(name, `no control worker took the cancellation of ${this.#kind.called(name)}`, cause);
		}
	}

	/** What happened in it, oldest first. */
	history(name: Name): Promise<HistoryEntry[]> {
		const of = { runId: this.#kind.runId?.(name) };
		return this.call(name, () => readHistory(this.client, this.#kind.id(name), this.all.read, of));
	}

	async #mustRun(name: Name): Promise<void> {
		const { called, details } = this.#kind;
		const { status } = await this.describe(name);
		if (status.name !== 'RUNNING')
			throw new RouseError('phase_wrong', `${called(name)} is over`, { details: details(name) });
	}

	#unanswered(name: Name, message: string, cause: unknown): RouseError {
		return new RouseError('worker_missing', message, { details: this.#kind.details(name), cause });
	}

	async #result(name: Name): Promise<View> {
		const view: View = await this.call(name, () => this.handle(name).result());
		return view;
	}
}

export function summaryOf({ status, startTime, closeTime, memo }: KnownWorkflow): WorkflowSummary {
	return {
		workflow: status.name,
		...memoSchema.parse(memo ?? {}),
		startedAt: startTime.toISOString(),
		closedAt: closeTime?.toISOString() ?? null,
	};
}

/** The newest of each id, the latest first, by the time that `at` tells of it. */
export async function newestOf<T>(
	infos: AsyncIterable<WorkflowExecutionInfo>,
	summarise: (info: WorkflowExecutionInfo) => T,
	at: (summary: T) => string,
): Promise<T[]> {
	const newest = new Map<string, T>();
	for await (const info of infos) {
		const summary = summarise(info);
		const known = newest.get(info.workflowId);
		if (!known || at(known) < at(summary)) newest.set(info.workflowId, summary);
	}
	return [...newest.values()].toSorted((a, b) => at(b).localeCompare(at(a)));
}
