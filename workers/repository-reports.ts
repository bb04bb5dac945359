import type { CapacityReport } from '../model/broker.ts';
import type { RepositoryLimits } from '../system/site.ts';

/** A broker whose history was put back does not know what it was told. */
export const reportAgainMs = 10 * 60_000;

/**
 * What control workers report of repositories, for no process stands for one: at once to a new run of the broker and on a
 * change, else every ten minutes, since each report is an event of the broker's history. Several workers report the same.
 */
export class RepositoryReports {
	readonly #told = new Map<string, { what: string; atMs: number }>();
	#runId = '';
	#lastNumber = 0;

	/** @param runId of the broker's run that goes on */
	due(limits: ReadonlyMap<string, RepositoryLimits>, runId: string, nowMs: number): CapacityReport[] {
		if (runId !== this.#runId) this.#told.clear();
		this.#runId = runId;
		return [...limits].flatMap(([name, totals]) => {
			const reporter = `repository/${name}`;
			const resources = Object.fromEntries(
				Object.entries(totals).map(([kind, total]) => [kind, { total, outside: 0 }]),
			);
			const told = this.#told.get(reporter);
			if (told?.what === JSON.stringify(resources) && nowMs - told.atMs < reportAgainMs) return [];
			// The time, so that it rises also across workers and their ends.
			this.#lastNumber = Math.max(nowMs, this.#lastNumber + 1);
			return [{ reporter, number: this.#lastNumber, resources, held: [] }];
		});
	}

	/** The broker has it. */
	told({ reporter, resources }: CapacityReport, nowMs: number): void {
		this.#told.set(reporter, { what: JSON.stringify(resources), atMs: nowMs });
	}
}
