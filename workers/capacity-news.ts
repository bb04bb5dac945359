import { type CapacityReport, requestIdOf } from '../model/broker.ts';

/** A broker that came up empty waits two minutes for a host, and what it was told is as of then. */
export const reportAgainMs = 60_000;

/** Where no broker is, one may be soon; it is looked for less often than the host is looked at. */
export const unheardEveryMs = 5_000;

/** Of all memory: what comes and goes with the work of other processes is no news. */
const memoryStep = 1 / 64;

/** Decides which of a host's capacity reports a broker is sent: each is an event of its history. */
export class CapacityNews {
	#told: { report: CapacityReport; atMs: number } | undefined;
	#unheardAtMs = Number.NEGATIVE_INFINITY;

	due(report: CapacityReport, nowMs: number): boolean {
		if (!this.#told) return nowMs - this.#unheardAtMs >= unheardEveryMs;
		return nowMs - this.#told.atMs >= reportAgainMs || isNews(this.#told.report, report);
	}

	/** The broker has it. */
	told(report: CapacityReport, nowMs: number): void {
		this.#told = { report, atMs: nowMs };
	}

	/** There is no broker: the next one is told all. */
	unheard(nowMs: number): void {
		this.#told = undefined;
		this.#unheardAtMs = nowMs;
	}
}

function isNews(before: CapacityReport, now: CapacityReport): boolean {
	if (withoutMemory(before) !== withoutMemory(now)) return true;
	const [was, is] = [before, now].map(({ resources }) => resources['memoryMiB']);
	if (was?.total !== is?.total) return true;
	return Math.abs((is?.outside ?? 0) - (was?.outside ?? 0)) >= Math.max(1, (is?.total ?? 0) * memoryStep);
}

function withoutMemory({ reporter, hostId, resources, held }: CapacityReport): string {
	const { memoryMiB: _, ...counted } = resources;
	return JSON.stringify([reporter, hostId, counted, held.map(({ request, token }) => [requestIdOf(request), token])]);
}
