import {
	type WorkflowExecutionDescription,
	WorkflowExecutionAlreadyStartedError,
	type WorkflowExecutionStatusName,
	type WorkflowHandle,
	WorkflowNotFoundError,
} from '@temporalio/client';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { copyBeatSchema, type ImportProgress, type ImportView } from '../model/import-view.ts';
import { searchAttributes, taskQueues } from '../workflows/contracts.ts';
import {
	cancelImportUpdate,
	type ImportInput,
	type ImportMemo,
	importViewQuery,
	importWorkflow,
	importWorkflowId,
} from '../workflows/import-contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type HistoryEntry, readHistory } from './history.ts';
import type { Why } from './orders.ts';
import { pendingOf } from './summaries.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** How long a client waits for a worker's answer. */
const queryLimitMs = 5_000;

/** PENDING_ACTIVITY_STATE_SCHEDULED: temporal/api/enums/v1/workflow.proto. */
const scheduledState = 1;

/** Of which machine in which repository: by that an import is known. */
export interface ImportName extends Pick<ImportInput, 'machine' | 'repositoryId'> {
	/** That one of them; else the latest, which may be another whenever it is asked for, as a schedule starts them too. */
	runId?: string;
}

/** What Temporal itself knows of an import. */
export interface ImportSummary {
	machine: string;
	repositoryId: string;
	/** Name in config.yaml, and the repository's directory; null when they cannot be read here. */
	source: string | null;
	repository: string | null;
	/** Temporal's word: `COMPLETED` is over. */
	workflow: WorkflowExecutionStatusName;
	requestedBy: string | null;
	reason: string | null;
	startedAt: string;
	closedAt: string | null;
}

/** What its latest heartbeats tell. */
export interface ImportUnderWay {
	progress: ImportProgress | null;
	/** Of the step under way: which attempt, and by what the one before has failed. */
	attempt: number;
	lastFailure: string | null;
	/** No worker has it now: it waits for one that is free, or for its next attempt. */
	waits: boolean;
}

export interface ImportStanding extends ImportUnderWay {
	summary: ImportSummary;
	view: ImportView;
	runId: string;
}

const memoSchema = z.object({
	source: z.string().nullable().catch(null),
	repository: z.string().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
	reason: z.string().nullable().catch(null),
});

/** Imports from machine sources as Temporal knows them: started, listed, looked at, cancelled. */
export class Imports {
	readonly #client: TemporalClient['client'];
	readonly #caller: string;
	readonly #all: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.#client = temporal.client;
		this.#caller = temporal.caller;
		this.#all = new RecoveryWorkflows(temporal);
	}

	/** `name_conflict` when one of this machine is under way. */
	async start(input: ImportInput, reason = ''): Promise<ImportName> {
		const { source, machine, repository, repositoryId } = input;
		const memo: ImportMemo = { source, machine, repository, requestedBy: this.#caller, reason };
		try {
			const { firstExecutionRunId } = await this.#call(input, () =>
				this.#client.workflow.start(importWorkflow, {
					workflowId: importWorkflowId(repositoryId, machine),
					taskQueue: taskQueues.control,
					args: [input],
					memo,
					typedSearchAttributes: [
						{ key: searchAttributes.machine, value: machine },
						{ key: searchAttributes.phase, value: 'planning' },
						{ key: searchAttributes.owner, value: this.#caller },
					],
					workflowIdConflictPolicy: 'FAIL',
					workflowIdReusePolicy: 'ALLOW_DUPLICATE',
					staticSummary: `${machine} from ${source}`,
				}),
			);
			return { machine, repositoryId, runId: firstExecutionRunId };
		} catch (cause) {
			if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
			throw new RouseError('name_conflict', `an import of ${machine} is under way`, { details: { source }, cause });
		}
	}

	/** The newest of each machine, or of this one in each repository, the latest first. */
	async list(machine?: string): Promise<ImportSummary[]> {
		const newest = new Map<string, ImportSummary>();
		const ofMachine = machine === undefined ? '' : ` AND ${searchAttributes.machine.name} = '${machine}'`;
		const query = `WorkflowType = '${importWorkflow}'${ofMachine}`;
		await this.#all.call(undefined, async () => {
			for await (const info of this.#client.workflow.list({ query })) {
				const entry = summarise(info);
				const known = newest.get(info.workflowId);
				if (!known || known.startedAt < entry.startedAt) newest.set(info.workflowId, entry);
			}
		});
		return [...newest.values()].toSorted((a, b) => b.startedAt.localeCompare(a.startedAt));
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: ImportName): Promise<ImportStanding> {
		const description = await this.#call(name, () => this.#handle(name).describe());
		const summary = summarise(description);
		const { runId } = description;
		const run = { ...name, runId };
		const isOver = summary.workflow === 'COMPLETED';
		const view = isOver ? await this.#result(run) : await this.#query(run, summary);
		return { summary, view, runId, ...this.#underWay(description) };
	}

	/** What happened in the newest of this machine, oldest first, and who asked for it. */
	async history(name: ImportName): Promise<{ summary: ImportSummary; history: HistoryEntry[] }> {
		const id = importWorkflowId(name.repositoryId, name.machine);
		const summary = summarise(await this.#call(name, () => this.#handle(name).describe()));
		return { summary, history: await this.#call(name, () => readHistory(this.#client, id, this.#all.read)) };
	}

	/** Whether one runs now, by Temporal's own word: lists lag behind. */
	async isUnderWay(name: ImportName): Promise<boolean> {
		try {
			return (await this.#call(name, () => this.#handle(name).describe())).status.name === 'RUNNING';
		} catch (error) {
			if (error instanceof RouseError && error.code === 'import_unknown') return false;
			throw error;
		}
	}

	/** It is given up; `phase_wrong` when it is over, `worker_missing` when no control worker takes that in time. */
	async cancel(name: ImportName, why: Why): Promise<ImportName> {
		const run = await this.#mustRun(name);
		try {
			await this.#client.withDeadline(Date.now() + queryLimitMs, () =>
				this.#handle(run).executeUpdate(cancelImportUpdate, { args: [{ by: this.#caller, ...why }] }),
			);
			return run;
		} catch (cause) {
			const told = this.#all.translated(cause);
			if (told instanceof RouseError && told.code !== 'temporal_unreachable') throw told;
			// It may have ended meanwhile. Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.#mustRun(run);
			throw new RouseError(
				'worker_missing',
				`no control worker took the cancellation of the import of ${name.machine}`,
				{
					cause,
				},
			);
		}
	}

	async #mustRun(name: ImportName): Promise<ImportName> {
		const { status, runId } = await this.#call(name, () => this.#handle(name).describe());
		if (status.name !== 'RUNNING') throw new RouseError('phase_wrong', `the import of ${name.machine} is over`);
		return { ...name, runId };
	}

	#handle({ repositoryId, machine, runId }: ImportName): WorkflowHandle {
		return this.#client.workflow.getHandle(importWorkflowId(repositoryId, machine), runId);
	}

	async #call<T>({ machine }: ImportName, call: () => Promise<T>): Promise<T> {
		try {
			return await this.#all.call(undefined, call);
		} catch (cause) {
			if (!(cause instanceof WorkflowNotFoundError)) throw cause;
			throw new RouseError('import_unknown', `Temporal knows no import of ${machine}`, { details: { machine }, cause });
		}
	}

	async #result(name: ImportName): Promise<ImportView> {
		const view: ImportView = await this.#call(name, () => this.#handle(name).result());
		return view;
	}

	async #query(name: ImportName, { workflow }: ImportSummary): Promise<ImportView> {
		try {
			return await this.#client.withDeadline(Date.now() + queryLimitMs, () =>
				this.#handle(name).query(importViewQuery),
			);
		} catch (cause) {
			// One that refused its input has no view: what it failed with is thrown.
			if (workflow === 'FAILED') return this.#result(name);
			// Throws temporal_unreachable by itself when it is the server that does not answer.
			await this.#call(name, () => this.#handle(name).describe());
			throw new RouseError('worker_missing', `no control worker told how the import of ${name.machine} stands`, {
				cause,
			});
		}
	}

	#underWay(description: WorkflowExecutionDescription): ImportUnderWay {
		const [activity] = description.raw.pendingActivities ?? [];
		const beat = activity?.heartbeatDetails?.payloads?.[0];
		const [step] = pendingOf(description, this.#all.read).pending;
		return {
			progress: (beat && copyBeatSchema.safeParse(this.#all.read(beat)).data?.progress) ?? null,
			attempt: step?.attempt ?? 1,
			lastFailure: step?.lastFailure?.message ?? null,
			waits: Number(activity?.state) === scheduledState,
		};
	}
}

interface Info {
	workflowId: string;
	status: { name: WorkflowExecutionStatusName };
	startTime: Date;
	closeTime?: Date | undefined;
	memo?: Record<string, unknown> | undefined;
}

function summarise({ workflowId, status, startTime, closeTime, memo }: Info): ImportSummary {
	const [, repositoryId = '', machine = ''] = workflowId.split('/');
	return {
		machine,
		repositoryId,
		workflow: status.name,
		...memoSchema.parse({
			source: memo?.['source'],
			repository: memo?.['repository'],
			requestedBy: memo?.['requestedBy'],
			reason: memo?.['reason'],
		}),
		startedAt: startTime.toISOString(),
		closedAt: closeTime?.toISOString() ?? null,
	};
}
