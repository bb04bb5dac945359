import type { ErrorCode } from '../model/errors.ts';
import type { ReadinessState } from '../model/readiness.ts';

/** A batch that this recovery tells what becomes of it. */
export interface ToldBatch {
	batch: string;
	/** Of the last news. The time as a rule: above what a workflow of this recovery has told that was lost. */
	number: number;
	/** As the batch was told last; absent: it was told nothing yet, and does not know. */
	parked?: ErrorCode | null;
	readiness: ReadinessState['is'];
	ended: boolean;
}

/** One that has started this recovery knows that it is under way. */
export function batchAtStart(batch: string | undefined): ToldBatch[] {
	return batch === undefined ? [] : [{ batch, number: 0, parked: null, readiness: 'waiting', ended: false }];
}
