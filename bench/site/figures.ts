/** What is told of a run. Pure. */
import * as z from 'zod';
import type { Grant } from '../broker-grants.ts';
import { type Used, usedSchema } from './processes.ts';

export interface RecoveryTimes {
	workflowId: string;
	/** Of its history. */
	events: number;
	requestedMs: number;
	runningMs: number;
	finishedMs: number;
}

export interface Measured {
	/** What `batch start` took. */
	startedMs: number;
	recoveries: readonly RecoveryTimes[];
	grants: readonly Grant[];
	/** By workflow, of some recoveries. */
	heard: ReadonlyMap<string, readonly number[]>;
	brokerEvents: number;
	used: Readonly<Record<string, Used>>;
	/** By how much it has grown. */
	databaseBytes: number;
}

const spreadSchema = z.object({ median: z.number(), p95: z.number(), most: z.number() });
export type Spread = z.infer<typeof spreadSchema>;

const figuresSchema = z.object({
	started: z.int(),
	finished: z.int(),
	/** From the first request to the last finish. */
	wholeSeconds: z.number(),
	batchStartSeconds: z.number(),
	eventsEach: spreadSchema,
	/** From the decision of the first grant, which gives a place on the host. */
	placeToRunningMs: spreadSchema,
	placeToFinishedMs: spreadSchema,
	grants: z.int(),
	/** Over the time in which there were any. */
	grantsPerSecond: z.number(),
	/** From the decision until the recovery hears of it, and until the broker knows that. */
	grantHeardMs: spreadSchema,
	grantKnownMs: spreadSchema,
	brokerEventsEach: z.number(),
	/** By how much it has grown. */
	databaseMiB: z.number(),
	used: z.record(z.string(), usedSchema),
});
export type Figures = z.infer<typeof figuresSchema>;

/** Of one run; kept as JSON. */
export const resultSchema = z.object({
	temporal: z.enum(['embedded', 'postgres']),
	size: z.int(),
	at: z.string(),
	/** Of the minute before it began and of its last one. */
	load: z.tuple([z.number(), z.number()]),
	processors: z.int(),
	figures: figuresSchema,
});
export type Result = z.infer<typeof resultSchema>;

export function figuresOf(measured: Measured): Figures {
	const { startedMs, recoveries, heard, brokerEvents, used, databaseBytes } = measured;
	const grants = measured.grants.toSorted((one, other) => one.sentMs - other.sentMs);
	const placed = new Map<string, number>();
	const lags: number[] = [];
	for (const [to, sent] of Map.groupBy(grants, grant => grant.to)) {
		placed.set(to, sent[0]?.sentMs ?? Number.NaN);
		for (const [number, heardMs] of heard.get(to)?.entries() ?? [])
			lags.push(heardMs - (sent[number]?.sentMs ?? Number.NaN));
	}
	const since = (of: (times: RecoveryTimes) => number) =>
		spread(recoveries.map(times => of(times) - (placed.get(times.workflowId) ?? Number.NaN)));
	const finished = recoveries.filter(({ finishedMs }) => !Number.isNaN(finishedMs));
	const first = Math.min(...recoveries.map(({ requestedMs }) => requestedMs));
	const grantsMs = (grants.at(-1)?.sentMs ?? 0) - (grants[0]?.sentMs ?? 0);
	return {
		started: recoveries.length,
		finished: finished.length,
		wholeSeconds: rounded((Math.max(...finished.map(({ finishedMs }) => finishedMs)) - first) / 1_000),
		batchStartSeconds: rounded(startedMs / 1_000),
		eventsEach: spread(recoveries.map(({ events }) => events)),
		placeToRunningMs: since(({ runningMs }) => runningMs),
		placeToFinishedMs: since(({ finishedMs }) => finishedMs),
		grants: grants.length,
		grantsPerSecond: rounded(grants.length / (grantsMs / 1_000)),
		grantHeardMs: spread(lags),
		grantKnownMs: spread(grants.map(({ sentMs, deliveredMs }) => deliveredMs - sentMs)),
		brokerEventsEach: rounded(brokerEvents / recoveries.length),
		databaseMiB: rounded(databaseBytes / 2 ** 20),
		used: Object.fromEntries(
			Object.entries(used).map(([name, { cpuSeconds, peakMiB }]) => [
				name,
				{ cpuSeconds: rounded(cpuSeconds), peakMiB },
			]),
		),
	};
}

function spread(values: readonly number[]): Spread {
	const sorted = values.toSorted((one, other) => one - other);
	const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
	return { median: at(0.5), p95: at(0.95), most: at(1) };
}

function rounded(value: number): number {
	return Math.round(value * 10) / 10;
}
