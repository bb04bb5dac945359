import {
	ScheduleAlreadyRunning,
	ScheduleNotFoundError,
	type ScheduleOptions,
	ScheduleOverlapPolicy,
} from '@temporalio/client';
import { RouseError } from '../model/errors.ts';
import { taskQueues } from '../workflows/contracts.ts';
import type { TemporalClient } from './connection.ts';
import { RecoveryWorkflows } from './workflows.ts';

/** What is started again and again, by a schedule of Temporal's own. */
export interface Schedule {
	name: string;
	/** As it was made with; undefined when that cannot be read here. */
	memo: Record<string, unknown>;
	/** Null where no time is to come, and while somebody has paused it in Temporal. */
	nextAt: string | null;
	/** What it has started last; null when that was nothing yet, or Temporal has forgotten it. */
	lastAt: string | null;
	lastWorkflowId: string | null;
	/** How often it was left out, since the one before was not over. */
	skipped: number;
	/** How often it was left out since nothing ran at its time, nor within what is made up for. */
	missed: number;
}

/** What the schedules of one kind have in common. */
export interface ScheduleKind {
	/** Of all their ids, and of those of the workflows that they start. */
	prefix: string;
	unknown(name: string, cause: unknown): RouseError;
	conflict(name: string, cause: unknown): RouseError;
}

export interface NewSchedule {
	/** Times are UTC. */
	spec: ScheduleOptions['spec'];
	workflowType: string;
	input: unknown;
	memo: Record<string, unknown>;
	/** What was missed while nothing ran is made up for, once, when it is no later than this. */
	catchupMs: number;
}

/** Schedules of one kind. What they start is not started twice at once: one whose time comes meanwhile is left out. */
export class Schedules {
	readonly #client: TemporalClient['client'];
	readonly #all: RecoveryWorkflows;
	readonly #kind: ScheduleKind;

	constructor(temporal: TemporalClient, kind: ScheduleKind) {
		this.#client = temporal.client;
		this.#all = new RecoveryWorkflows(temporal);
		this.#kind = kind;
	}

	/** The kind's `conflict` when there is one of this name; `usage` for times that are none. */
	async create(name: string, { spec, workflowType, input, memo, catchupMs }: NewSchedule): Promise<void> {
		const scheduleId = this.#id(name);
		try {
			await this.#call(name, () =>
				this.#client.schedule
					.create({
						scheduleId,
						spec,
						action: {
							type: 'startWorkflow',
							workflowType,
							workflowId: scheduleId,
							taskQueue: taskQueues.control,
							args: [input],
						},
						policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: catchupMs },
						memo,
					})
					.catch(unlessNoTimes),
			);
		} catch (cause) {
			if (!(cause instanceof ScheduleAlreadyRunning)) throw cause;
			throw this.#kind.conflict(name, cause);
		}
	}

	/** Temporal lists what it was told a moment later: `made` is there all the same, and what is gone is not. */
	async list({ made }: { made?: string } = {}): Promise<Schedule[]> {
		const { prefix } = this.#kind;
		const names = new Set(made === undefined ? [] : [made]);
		await this.#all.call(undefined, async () => {
			for await (const { scheduleId } of this.#client.schedule.list())
				if (scheduleId.startsWith(prefix)) names.add(scheduleId.slice(prefix.length));
		});
		const found = await Promise.all([...names].toSorted().map(name => this.#describe(name)));
		return found.filter(schedule => schedule !== undefined);
	}

	/** What it has started goes on. The kind's `unknown` when there is none of this name. */
	async remove(name: string): Promise<void> {
		const schedule = this.#client.schedule.getHandle(this.#id(name));
		await this.#call(name, () => schedule.describe());
		// The client makes a call again whose answer was late: then it is gone already.
		await this.#all.call(undefined, () => schedule.delete()).catch(unlessGone);
	}

	/** Undefined for one that somebody removed while they were listed. */
	async #describe(name: string): Promise<Schedule | undefined> {
		const schedule = this.#client.schedule.getHandle(this.#id(name));
		const described = await this.#all.call(undefined, () => schedule.describe()).catch(unlessGone);
		if (described === undefined) return undefined;
		const { memo, info, state } = described;
		const last = info.recentActions.at(-1);
		return {
			name,
			memo: memo ?? {},
			nextAt: state.paused ? null : (info.nextActionTimes[0]?.toISOString() ?? null),
			lastAt: last?.takenAt.toISOString() ?? null,
			lastWorkflowId: last?.action.workflow.workflowId ?? null,
			skipped: info.numActionsSkippedOverlap,
			missed: info.numActionsMissedCatchupWindow,
		};
	}

	#id(name: string): string {
		return `${this.#kind.prefix}${name}`;
	}

	async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
		try {
			return await this.#all.call(undefined, call);
		} catch (error) {
			if (!(error instanceof ScheduleNotFoundError)) throw error;
			throw this.#kind.unknown(name, error);
		}
	}
}

/** What the fields of a cron expression may be the server knows alone; what it refuses is a TypeError of the SDK (1.24, schedule-client.js). */
function unlessNoTimes(error: unknown): never {
	if (!(error instanceof TypeError)) throw error;
	throw new RouseError('usage', `Temporal makes no schedule of that: ${error.message}`, {
		hint: "minute, hour, day, month and weekday, as '0 3 * * 0' or '30 2 1-7 * MON'",
		cause: error,
	});
}

function unlessGone(error: unknown): undefined {
	if (!(error instanceof ScheduleNotFoundError)) throw error;
}
