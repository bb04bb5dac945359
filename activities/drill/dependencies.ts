import type { DrillReports } from '../../drills/reports.ts';
import type { DrillPlan } from '../../model/drill.ts';
import type { MachineFindings } from '../../model/drill-report.ts';

/** How a machine of a drill came up, and where; `hostId` is null of one that has no place. */
export interface Drilled extends Pick<MachineFindings, 'host' | 'startMs' | 'bootMs' | 'readyMs'> {
	hostId: string | null;
}

export interface DrillDependencies {
	/** As Temporal knows it. `identity_conflict` when the recovery of this name is another, or none of this drill. */
	find(wanted: { drill: string; name: string; recoveryId: string }): Promise<Drilled>;
	/** What a file comes to now. */
	plan(
		scheduled: { name: string; file: string; requestedBy: string },
		how: { signal: AbortSignal; onWarning: (warning: string) => void },
	): Promise<DrillPlan>;
	reports: Pick<DrillReports, 'keep' | 'write'>;
}
