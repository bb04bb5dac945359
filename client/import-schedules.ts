import { WorkflowFailedError, type WorkflowHandle, WorkflowNotFoundError } from '@temporalio/client';
import { rootCause } from '@temporalio/common';
import * as z from 'zod';
import { asRouseError, type ErrorDocument, RouseError } from '../model/errors.ts';
import {
	type ImportInput,
	importScheduleId,
	type ScheduledImportInput,
	scheduledImportWorkflow,
} from '../workflows/import-contracts.ts';
import type { TemporalClient } from './connection.ts';
import { type Schedule, type ScheduleKind, Schedules } from './schedules.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** Either every so often, from midnight UTC of 1970-01-01 on, or by a cron expression of five fields, in UTC. */
export type ImportTimes = { everyMs: number } | { cron: string };

/** A source that is backed up again and again. */
export interface ImportSchedule {
	source: string;
	/** `every 4h` or a cron expression, as it was given; null when that cannot be read here. */
	when: string | null;
	requestedBy: string | null;
	nextAt: string | null;
	lastAt: string | null;
	/** How the last one stands: `running`, `imported`, `failed`; null when there was none, or Temporal has forgotten it. */
	last: 'running' | 'imported' | 'failed' | null;
	/** Why the last one has failed. */
	failure: ErrorDocument | null;
	/** How often one was left out, since the one before was not over. */
	skipped: number;
	/** How often one was left out, since nothing ran at its time. */
	missed: number;
}

const memoSchema = z.object({
	when: z.string().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
});

/** A point that comes in the morning is better than none of that night. */
const catchupMs = 12 * 3_600_000;

const kind: ScheduleKind = {
	prefix: importScheduleId(''),
	unknown: (source, cause) =>
		new RouseError('import_unknown', `there is no schedule for backups of ${source}`, {
			details: { importSchedule: source },
			cause,
		}),
	conflict: (source, cause) =>
		new RouseError('name_conflict', `backups of ${source} have a schedule already`, {
			details: { importSchedule: source },
			cause,
		}),
};

/** Schedules of Temporal's own that start imports. */
export class ImportSchedules {
	readonly #caller: string;
	readonly #all: RecoveryWorkflows;
	readonly #schedules: Schedules;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#all = new RecoveryWorkflows(temporal);
		this.#schedules = new Schedules(temporal, kind);
	}

	/**
	 * What is still under way when its time comes is not started a second time at once, and of what was missed while nothing ran
	 * one is made up for, when it is less than 12 hours late. `name_conflict` when the source has a schedule.
	 */
	async create(
		{ source, repository, repositoryId, machine }: Omit<ImportInput, 'maxRateBytes'>,
		{ times, when }: { times: ImportTimes; when: string },
	): Promise<void> {
		const input: ScheduledImportInput = { source, repository, repositoryId, machine, requestedBy: this.#caller };
		await this.#schedules.create(source, {
			spec: 'cron' in times ? { cronExpressions: [times.cron] } : { intervals: [{ every: times.everyMs }] },
			workflowType: scheduledImportWorkflow,
			input,
			memo: { when, requestedBy: this.#caller },
			catchupMs,
		});
	}

	/** `made` is there, whether Temporal lists it yet or not. */
	async list(of: { made?: string } = {}): Promise<ImportSchedule[]> {
		return Promise.all((await this.#schedules.list(of)).map(schedule => this.#told(schedule)));
	}

	async remove(source: string): Promise<void> {
		await this.#schedules.remove(source);
	}

	async #told({ name, memo, lastWorkflowId, ...schedule }: Schedule): Promise<ImportSchedule> {
		const ended = lastWorkflowId === null ? { last: null } : await this.#outcome(lastWorkflowId);
		return { source: name, ...memoSchema.parse(memo), ...schedule, failure: null, ...ended };
	}

	/** What the schedule has started lasts as long as the import, and fails with it. */
	async #outcome(workflowId: string): Promise<Pick<ImportSchedule, 'last'> & Partial<Pick<ImportSchedule, 'failure'>>> {
		const handle = this.#all.client.workflow.getHandle(workflowId);
		try {
			const { status } = await this.#all.call(undefined, () => handle.describe());
			if (status.name === 'RUNNING') return { last: 'running' };
			if (status.name === 'COMPLETED') return { last: 'imported' };
			return { last: 'failed', failure: await this.#failureOf(handle) };
		} catch (error) {
			if (!(error instanceof WorkflowNotFoundError)) throw error;
			return { last: null };
		}
	}

	async #failureOf(handle: WorkflowHandle): Promise<ErrorDocument | null> {
		try {
			await this.#all.call(undefined, () => handle.result());
			return null;
		} catch (error) {
			if (error instanceof WorkflowNotFoundError) throw error;
			// Of what somebody has ended in Temporal that has words of its own alone.
			if (error instanceof WorkflowFailedError)
				return { code: 'interrupted', message: rootCause(error.cause) ?? error.message };
			const told = asRouseError(error);
			if (told.code === 'temporal_unreachable') throw told;
			return told.toDocument();
		}
	}
}
