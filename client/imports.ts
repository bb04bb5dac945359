import { type WorkflowExecutionDescription, WorkflowExecutionAlreadyStartedError } from '@temporalio/client';
import * as z from 'zod';
import { RouseError } from '../model/errors.ts';
import { copyBeatSchema, type ImportProgress, type ImportView } from '../model/import-view.ts';
import { searchAttributes } from '../workflows/contracts.ts';
import {
	cancelImportUpdate,
	type ImportInput,
	type ImportMemo,
	importViewQuery,
	importWorkflow,
	importWorkflowId,
} from '../workflows/import-contracts.ts';
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
import { pendingOf } from './summaries.ts';

/** PENDING_ACTIVITY_STATE_SCHEDULED: temporal/api/enums/v1/workflow.proto. */
const scheduledState = 1;

/** Of which machine in which repository: by that an import is known. */
export interface ImportName extends Pick<ImportInput, 'machine' | 'repositoryId'> {
	/** That one of them; else the latest, which may be another whenever it is asked for, as a schedule starts them too. */
	runId?: string;
}

/** What Temporal itself knows of an import. */
export interface ImportSummary extends WorkflowSummary {
	machine: string;
	repositoryId: string;
	/** Name in config.yaml, and the repository's directory; null when they cannot be read here. */
	source: string | null;
	repository: string | null;
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
});

const kind: WorkflowKind<ImportName, ImportView> = {
	type: importWorkflow,
	id: ({ repositoryId, machine }) => importWorkflowId(repositoryId, machine),
	runId: ({ runId }) => runId,
	viewQuery: importViewQuery,
	called: ({ machine }) => `the import of ${machine}`,
	details: ({ machine }) => ({ import: machine }),
	unknown: ({ machine }, cause) =>
		new RouseError('import_unknown', `Temporal knows no import of ${machine}`, {
			details: { import: machine },
			cause,
		}),
};

/** Imports from machine sources as Temporal knows them: started, listed, looked at, cancelled. */
export class Imports {
	readonly #caller: string;
	readonly #workflows: NamedWorkflows<ImportName, ImportView>;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#workflows = new NamedWorkflows(temporal, kind);
	}

	/** `name_conflict` when one of this machine is under way. */
	async start(input: ImportInput, reason = ''): Promise<ImportName> {
		const { source, machine, repository, repositoryId } = input;
		const memo: ImportMemo = { source, machine, repository, requestedBy: this.#caller, reason };
		try {
			const runId = await this.#workflows.start(input, {
				args: [input],
				memo,
				typedSearchAttributes: [
					{ key: searchAttributes.machine, value: machine },
					{ key: searchAttributes.phase, value: 'planning' },
				],
				staticSummary: `${machine} from ${source}`,
			});
			return { machine, repositoryId, runId };
		} catch (cause) {
			if (!(cause instanceof WorkflowExecutionAlreadyStartedError)) throw cause;
			throw new RouseError('name_conflict', `an import of ${machine} is under way`, {
				details: { import: machine, source },
				cause,
			});
		}
	}

	/** The newest of each machine, or of this one in each repository, the latest first. */
	list(machine?: string): Promise<ImportSummary[]> {
		const ofMachine = machine === undefined ? '' : ` AND ${searchAttributes.machine.name} = '${machine}'`;
		return this.#workflows.list(summarise, ofMachine);
	}

	/** How it stands. One that is over needs no worker for it; else `worker_missing` when no control worker answers. */
	async view(name: ImportName): Promise<ImportStanding> {
		const description = await this.#workflows.describe(name);
		const { runId } = description;
		const view = await this.#workflows.view({ ...name, runId }, description);
		return { summary: summarise(description), view, runId, ...this.#underWay(description) };
	}

	/** What happened in the newest of this machine, oldest first, and who asked for it. */
	async history(name: ImportName): Promise<{ summary: ImportSummary; history: HistoryEntry[] }> {
		const description = await this.#workflows.describe(name);
		const { runId } = description;
		return { summary: summarise(description), history: await this.#workflows.history({ ...name, runId }) };
	}

	/** Whether one runs now, by Temporal's own word: lists lag behind. */
	async isUnderWay(name: ImportName): Promise<boolean> {
		return (await this.#workflows.find(name))?.status.name === 'RUNNING';
	}

	/** It is given up; `phase_wrong` when it is over, `worker_missing` when no control worker takes that in time. */
	async cancel(name: ImportName, why: Why): Promise<ImportName> {
		const run = { ...name, runId: (await this.#workflows.describe(name)).runId };
		await this.#workflows.cancel(run, cancelImportUpdate, why);
		return run;
	}

	#underWay(description: WorkflowExecutionDescription): ImportUnderWay {
		const [activity] = description.raw.pendingActivities ?? [];
		const beat = activity?.heartbeatDetails?.payloads?.[0];
		const [step] = pendingOf(description, this.#workflows.all.read).pending;
		return {
			progress: (beat && copyBeatSchema.safeParse(this.#workflows.all.read(beat)).data?.progress) ?? null,
			attempt: step?.attempt ?? 1,
			lastFailure: step?.lastFailure?.message ?? null,
			waits: Number(activity?.state) === scheduledState,
		};
	}
}

function summarise(known: KnownWorkflow): ImportSummary {
	const { workflowId, memo } = known;
	const [, repositoryId = '', machine = ''] = workflowId.split('/');
	return { machine, repositoryId, ...memoSchema.parse(memo ?? {}), ...summaryOf(known) };
}
