import type { Incident } from '../model/recovery.ts';
import type { RecoveryView } from '../supervisor/protocol.ts';
import type { HostReport } from '../workflows/contracts.ts';

/** A run takes 10,000 signals: incidents that keep coming may not use them up. */
export const incidentsEveryMs = 60_000;

/** Without a workflow there is nobody to report to; one that takes the recovery up is to know of everything soon. */
export const unheardEveryMs = 5_000;

/** A workflow whose history was put back does not know what it was told: what stands is told again. */
export const stateAgainMs = 60 * 60_000;

interface Reported {
	/** Power, orders for it and what blocks, as the workflow knows it. */
	state: string;
	stateAtMs: number;
	/** Highest sequence that was reported. */
	incidents: number;
	incidentsAtMs: number;
}

/**
 * Decides what is reported to a workflow of its host: a change of power or of what blocks at once and once an hour as it
 * is, incidents at most once a minute. Forgets nothing that could not be reported; a new process reports everything once
 * more.
 */
export class Reports {
	readonly #reported = new Map<string, Reported>();
	/** When a report of a recovery found no workflow. */
	readonly #unheardAtMs = new Map<string, number>();

	/** Whether there is something to report, and from which incident on it is news. */
	due(view: RecoveryView, nowMs: number): { incidentsAfter: number } | undefined {
		const reported = this.#reported.get(view.recoveryId);
		if (!reported) {
			const unheardAtMs = this.#unheardAtMs.get(view.recoveryId) ?? Number.NEGATIVE_INFINITY;
			return nowMs - unheardAtMs >= unheardEveryMs ? { incidentsAfter: 0 } : undefined;
		}
		const news = view.incidents > reported.incidents && nowMs - reported.incidentsAtMs >= incidentsEveryMs;
		const known = reported.state === stateOf(view) && nowMs - reported.stateAtMs < stateAgainMs;
		if (!news && known) return undefined;
		return { incidentsAfter: reported.incidents };
	}

	/** No workflow is open: the next one is told everything. */
	unheard({ recoveryId }: RecoveryView, nowMs: number): void {
		this.#reported.delete(recoveryId);
		this.#unheardAtMs.set(recoveryId, nowMs);
	}

	/** The workflow has it. */
	reported(view: RecoveryView, incidents: readonly Incident[], nowMs: number): void {
		const before = this.#reported.get(view.recoveryId);
		this.#reported.set(view.recoveryId, {
			state: stateOf(view),
			stateAtMs: nowMs,
			incidents: incidents.at(-1)?.sequence ?? before?.incidents ?? 0,
			incidentsAtMs: incidents.length > 0 ? nowMs : (before?.incidentsAtMs ?? Number.NEGATIVE_INFINITY),
		});
	}

	/** Recoveries that the host does not have any more. */
	keepOnly(views: readonly RecoveryView[]): void {
		const there = new Set(views.map(view => view.recoveryId));
		for (const known of [this.#reported, this.#unheardAtMs])
			for (const recoveryId of known.keys()) if (!there.has(recoveryId)) known.delete(recoveryId);
	}
}

export function reportOf(view: RecoveryView, incidents: Incident[]): HostReport {
	return {
		recoveryId: view.recoveryId,
		power: view.power,
		blocked: view.blocked,
		powerOrder: view.powerOrder,
		copying: view.copying,
		incidents,
		restoredBytes: view.disks.reduce((sum, disk) => sum + disk.restoredBytes, 0),
	};
}

/** Whether it copies is news of one that is blocked alone: it gives its stream back when it does not. */
function stateOf({ power, blocked, powerOrder, copying }: RecoveryView): string {
	return JSON.stringify([power, blocked, powerOrder, blocked !== null && copying]);
}
