import type { ItemView } from './batch-view.ts';

/** How far a machine of a drill is. */
export type DrillStage =
	/** Its recovery has not come to be ready. */
	| 'waiting'
	| 'testing'
	| 'passed'
	/** It failed a test, was not ready, or was not tried at all: `code` and `reason` say which. */
	| 'failed';

export interface DrilledView
	extends Pick<ItemView, 'name' | 'machine' | 'group' | 'state' | 'phase' | 'code' | 'reason' | 'recoveryId'> {
	stage: DrillStage;
	/** Nothing of it is left, or there never was anything. */
	discarded: boolean;
}

/** `discarding`: all is tried and the report is written, but not everything is thrown away yet. */
export type DrillPhase = 'running' | 'cancelled' | 'discarding' | 'over';

/** Of one that is over, its workflow's result is the last of these. */
export interface DrillView {
	name: string;
	phase: DrillPhase;
	startedMs: number;
	endedMs: number | null;
	/** Null until all is tried. */
	passed: boolean | null;
	/** Why it was ended before all was tried. */
	cancelled: string | null;
	/** Directory of its report beneath that of the drill's name; null until it is written. */
	report: string | null;
	machines: DrilledView[];
}
