/** What clients, recoveries and the workflow of a batch say to each other. No I/O, no state. */
import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';
import type { BatchPlan } from '../model/batch.ts';
import type { BatchView } from '../model/batch-view.ts';
import type { ErrorCode } from '../model/errors.ts';
import type { Phase } from '../model/recovery.ts';
import type { Asked } from './contracts.ts';

export const batchWorkflow = 'batch';

export function batchWorkflowId(name: string): string {
	return `batch/${name}`;
}

export interface BatchInput {
	plan: BatchPlan;
	/** What an earlier run hands to this one. */
	state?: unknown;
}

/** What a recovery tells its batch, and nothing else: each at most once until it changes. */
export interface ItemNews {
	/** Name of the recovery. */
	item: string;
	recoveryId: string;
	/** Of two of one recovery the later one has the higher number. */
	number: number;
	is: 'ready' | 'not_ready' | 'parked' | 'unparked' | 'ended';
	phase: Phase;
	/** What parked it, why it is not ready, or how it failed. */
	code: ErrorCode | null;
	reason: string | null;
}
export const itemNewsSignal = defineSignal<[ItemNews]>('itemNews');

/** To a recovery that was under way before: from then on it tells this batch, beginning with what it is. */
export const tellBatchSignal = defineSignal<[{ batch: string }]>('tellBatch');

/** Starts nothing more; what was started goes on. */
export const cancelBatchUpdate = defineUpdate<void, [Asked]>('cancel');
/** Refused, failed, left out and parked items only; how many. */
export const retryBatchUpdate = defineUpdate<number, [Asked]>('retry');
/** Discards every recovery of the batch, guest writes included; `confirm` is the batch's name, typed by a person. */
export const discardBatchUpdate = defineUpdate<number, [Asked & { confirm: string }]>('discard');
export const batchViewQuery = defineQuery<BatchView>('view');
