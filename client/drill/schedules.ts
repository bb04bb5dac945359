import { ScheduleAlreadyRunning, ScheduleNotFoundError, ScheduleOverlapPolicy } from '@temporalio/client';
import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { taskQueues } from '../../workflows/contracts.ts';
import { drillScheduleId, type ScheduledDrillInput, scheduledDrillWorkflow } from '../../workflows/drill-contracts.ts';
import type { TemporalClient } from '../connection.ts';
import { RecoveryWorkflows } from '../workflows.ts';

/** A drill that is done again and again. */
export interface DrillSchedule {
	name: string;
	/** As it was given; null when that cannot be read here. */
	cron: string | null;
	requestedBy: string | null;
	nextAt: string | null;
	lastAt: string | null;
	/** How often it was left out, since the one before was not over. */
	skipped: number | null;
}

const memoSchema = z.object({
	cron: z.string().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
});
const prefix = drillScheduleId('');

/** Schedules of Temporal's own that start drills. */
export class DrillSchedules {
	readonly #client: TemporalClient['client'];
	readonly #caller: string;
	readonly #all: RecoveryWorkflows;

	constructor(temporal: TemporalClient) {
		this.#client = temporal.client;
		this.#caller = temporal.caller;
		this.#all = new RecoveryWorkflows(temporal);
	}

	/**
	 * Times are UTC. What is still under way when its time comes is not drilled a second time at once, and of what was missed while
	 * nothing ran only what is less than an hour late is made up for. `name_conflict` when there is one of this name.
	 */
	async create(name: string, { file, cron }: { file: string; cron: string }): Promise<void> {
		const input: ScheduledDrillInput = { name, file, requestedBy: this.#caller };
		try {
			await this.#call(name, () =>
				this.#client.schedule.create({
					scheduleId: drillScheduleId(name),
					spec: { cronExpressions: [cron] },
					action: {
						type: 'startWorkflow',
						workflowType: scheduledDrillWorkflow,
						workflowId: drillScheduleId(name),
						taskQueue: taskQueues.control,
						args: [input],
					},
					policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1h' },
					memo: { cron, requestedBy: this.#caller },
				}),
			);
		} catch (cause) {
			if (!(cause instanceof ScheduleAlreadyRunning)) throw cause;
			throw new RouseError('name_conflict', `drill ${name} has a schedule already`, {
				details: { drillSchedule: name },
				cause,
			});
		}
	}

	/** Temporal lists what it was told a moment later: `made` is there all the same, and what is gone is not. */
	async list({ made }: { made?: string } = {}): Promise<DrillSchedule[]> {
		const names = new Set(made === undefined ? [] : [made]);
		await this.#all.call(undefined, async () => {
			for await (const { scheduleId } of this.#client.schedule.list())
				if (scheduleId.startsWith(prefix)) names.add(scheduleId.slice(prefix.length));
		});
		const schedules = await Promise.all([...names].toSorted().map(name => this.#describe(name).catch(unlessRemoved)));
		return schedules.filter(schedule => schedule !== undefined);
	}

	async remove(name: string): Promise<void> {
		const schedule = this.#client.schedule.getHandle(drillScheduleId(name));
		await this.#call(name, () => schedule.describe());
		// The client makes a call again whose answer was late: then it is gone already.
		await this.#all.call(undefined, () => schedule.delete()).catch(unlessGone);
	}

	async #describe(name: string): Promise<DrillSchedule> {
		const { memo, info } = await this.#call(name, () =>
			this.#client.schedule.getHandle(drillScheduleId(name)).describe(),
		);
		return {
			name,
			...memoSchema.parse(memo ?? {}),
			nextAt: info.nextActionTimes[0]?.toISOString() ?? null,
			lastAt: info.recentActions.at(-1)?.takenAt.toISOString() ?? null,
			skipped: info.numActionsSkippedOverlap,
		};
	}

	async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
		try {
			return await this.#all.call(undefined, call);
		} catch (error) {
			if (!(error instanceof ScheduleNotFoundError)) throw error;
			throw new RouseError('drill_unknown', `there is no schedule of a drill ${name}`, {
				details: { drillSchedule: name },
				cause: error,
			});
		}
	}
}

function unlessGone(error: unknown): void {
	if (!(error instanceof ScheduleNotFoundError)) throw error;
}

/** Of one that somebody removed while they were listed. */
function unlessRemoved(error: unknown): undefined {
	if (!(error instanceof RouseError) || error.code !== 'drill_unknown') throw error;
}
