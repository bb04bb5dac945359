/** What clients, schedules and the workflows of a drill say to each other. No I/O, no state. */
import { defineQuery, defineUpdate } from '@temporalio/workflow';
import type { DrillPlan, DrillTest } from '../model/drill.ts';
import type { DrillView } from '../model/drill-view.ts';
import type { Asked } from './contracts.ts';

export const drillWorkflow = 'drill';
export const drilledMachineWorkflow = 'drilledMachine';
export const scheduledDrillWorkflow = 'scheduledDrill';

export function drillWorkflowId(name: string): string {
	return `drill/${name}`;
}

/** Beside `drill/NAME`, so that what is listed of one is never taken for the other. */
export function drilledMachineId(name: string, recovery: string): string {
	return `drilled/${name}/${recovery}`;
}

export function drillScheduleId(name: string): string {
	return `drill-schedule/${name}`;
}

/**
 * Whoever starts it sets the search attributes `phase` (`running`) and `owner`, and the memo {@link DrillMemo}. It completes
 * with the {@link DrillView} that it ends with.
 */
export interface DrillInput {
	plan: DrillPlan;
}

/** Readable without any worker. */
export type DrillMemo = {
	name: string;
	machines: number;
	requestedBy: string;
	reason: string;
};

/** A machine that is ready, or will not be: without tests it is only looked at. */
export interface DrilledMachineInput {
	drill: string;
	/** Directory of the report. */
	report: string;
	/** Of its recovery. */
	name: string;
	recoveryId: string;
	tests: DrillTest[];
}

/** What failed first; nulls when all passed. */
export interface DrilledMachineResult {
	passed: boolean;
	reason: string | null;
}

/** What a schedule starts: the file as it was written, since `latest` is another point each time. */
export interface ScheduledDrillInput {
	name: string;
	file: string;
	requestedBy: string;
}

/** Nothing more is started or tested; everything is thrown away, and the report is written of what is known. */
export const cancelDrillUpdate = defineUpdate<void, [Asked]>('cancel');
export const drillViewQuery = defineQuery<DrillView>('view');
