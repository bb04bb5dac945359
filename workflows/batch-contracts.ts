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

/**
 * Whoever starts it sets the search attributes `batch` (its name), `phase` (`running`) and `owner`, and the memo
 * {@link BatchMemo}. It completes with the {@link BatchView} that it ends with. One that is over takes no order any more:
 * it is started again with the same plan, finds what exists, and `order` is the first that it is told.
 */
export interface BatchInput {
	plan: BatchPlan;
	/** Machines whose recovery was discarded or abandoned, or whose machine was removed, are recovered once more. */
	again?: boolean;
	/** Discard: of what exists, and nothing is started. `found` as in {@link discardBatchUpdate}, `again` as in {@link retryBatchUpdate}. */
	order?: Asked & { is: 'retry' | 'discard'; found?: string[]; again?: string[] };
	/** What an earlier run hands to this one. */
	state?: unknown;
}

/** Readable without any worker. */
export type BatchMemo = {
	name: string;
	items: number;
	requestedBy: string;
	reason: string;
};

/** What a recovery tells its batch, and nothing else: each at most once until it changes. */
export interface ItemNews {
	/** Name of the recovery. */
	item: string;
	recoveryId: string;
	/** Of two of one recovery the later one has the higher number. */
	number: number;
	is: 'ready' | 'not_ready' | 'parked' | 'unparked' | 'ended';
	/** It waits for a person, whatever else is the news. */
	parked: boolean;
	phase: Phase;
	/** What parked it, why it is not ready, or how it failed. */
	code: ErrorCode | null;
	reason: string | null;
}
export const itemNewsSignal = defineSignal<[ItemNews]>('itemNews');

/** To a recovery that was under way before: from then on it tells this batch, beginning with what it is. */
export const tellBatchSignal = defineSignal<[{ batch: string }]>('tellBatch');

/**
 * To a recovery that this batch has started, and whose machine is not to start: it undoes all and fails; from power-on on it
 * goes on as if nothing were. `drill`: the sender is the drill of that name and no batch; its recovery is discarded, wherever
 * it has got to.
 */
export const takeBackSignal = defineSignal<[Asked & { batch: string; drill?: true }]>('takeBack');

/** Starts nothing more; what was started goes on. */
export const cancelBatchUpdate = defineUpdate<void, [Asked]>('cancel');
/**
 * Refused, failed and left out items begin anew, parked ones are told `retry`, and who follows one that is not ready waits
 * for it no longer; how many. All others are left alone; so is one whose machine may be on a host without its history knowing,
 * unless a person has typed its name into `again`.
 */
export const retryBatchUpdate = defineUpdate<number, [Asked & { again?: string[] }]>('retry');
/**
 * Discards every open recovery that the batch has started, guest writes included; `confirm` is the batch's name, typed by a
 * person. Those that it has only found are left, but for the ones whose names a person has typed into `found`.
 */
export const discardBatchUpdate = defineUpdate<number, [Asked & { confirm: string; found?: string[] }]>('discard');
export const batchViewQuery = defineQuery<BatchView>('view');
