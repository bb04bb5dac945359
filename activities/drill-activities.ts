import { findDrilled } from './drill/find-drilled.ts';
import type { DrillDependencies } from './drill/dependencies.ts';
import { keepFindings } from './drill/keep-findings.ts';
import { planScheduledDrill } from './drill/plan-scheduled.ts';
import { writeDrillReport } from './drill/write-report.ts';

/** What a control worker does for drills: it looks at their recoveries, and writes their reports. */
export function createDrillActivities(drills: DrillDependencies) {
	return {
		findDrilled: findDrilled(drills),
		keepFindings: keepFindings(drills),
		planScheduledDrill: planScheduledDrill(drills),
		writeDrillReport: writeDrillReport(drills),
	};
}

export type DrillActivities = ReturnType<typeof createDrillActivities>;
