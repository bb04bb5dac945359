import * as z from 'zod';
import { RouseError } from '../../model/errors.ts';
import { drillScheduleId, type ScheduledDrillInput, scheduledDrillWorkflow } from '../../workflows/drill-contracts.ts';
import type { TemporalClient } from '../connection.ts';
import { type ScheduleKind, Schedules } from '../schedules.ts';

/** A drill that is done again and again. */
export interface DrillSchedule {
	name: string;
	/** As it was given; null when that cannot be read here. */
	cron: string | null;
	requestedBy: string | null;
	nextAt: string | null;
	lastAt: string | null;
	/** How often it was left out, since the one before was not over. */
	skipped: number;
}

const memoSchema = z.object({
	cron: z.string().nullable().catch(null),
	requestedBy: z.string().nullable().catch(null),
});

/** What a drill finds is of its night: one that comes in the morning meets people at work. */
const catchupMs = 3_600_000;

const kind: ScheduleKind = {
	prefix: drillScheduleId(''),
	unknown: (name, cause) =>
		new RouseError('drill_unknown', `there is no schedule of a drill ${name}`, {
			details: { drillSchedule: name },
			cause,
		}),
	conflict: (name, cause) =>
		new RouseError('name_conflict', `drill ${name} has a schedule already`, {
			details: { drillSchedule: name },
			cause,
		}),
};

/** Schedules of Temporal's own that start drills. */
export class DrillSchedules {
	readonly #caller: string;
	readonly #schedules: Schedules;

	constructor(temporal: TemporalClient) {
		this.#caller = temporal.caller;
		this.#schedules = new Schedules(temporal, kind);
	}

	/**
	 * Times are UTC. What is still under way when its time comes is not drilled a second time at once, and of what was missed while
	 * nothing ran only what is less than an hour late is made up for. `name_conflict` when there is one of this name.
	 */
	async create(name: string, { file, cron }: { file: string; cron: string }): Promise<void> {
		const input: ScheduledDrillInput = { name, file, requestedBy: this.#caller };
		await this.#schedules.create(name, {
			spec: { cronExpressions: [cron] },
			workflowType: scheduledDrillWorkflow,
			input,
			memo: { cron, requestedBy: this.#caller },
			catchupMs,
		});
	}

	/** `made` is there, whether Temporal lists it yet or not. */
	async list(of: { made?: string } = {}): Promise<DrillSchedule[]> {
		const schedules = await this.#schedules.list(of);
		return schedules.map(({ name, memo, nextAt, lastAt, skipped }) => ({
			name,
			...memoSchema.parse(memo),
			nextAt,
			lastAt,
			skipped,
		}));
	}

	async remove(name: string): Promise<void> {
		await this.#schedules.remove(name);
	}
}
