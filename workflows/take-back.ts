import { log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import type { ErrorDocument } from '../model/errors.ts';
import { takeBackSignal } from './batch-contracts.ts';
import type { Asked } from './contracts.ts';
import { cancelledDocument } from './failures.ts';
import type { Run } from './run.ts';

const askedSchema = z.object({
	batch: z.string(),
	by: z.string().max(100),
	reason: z.string().max(500).optional(),
});

/**
 * The wish of a batch that gives up what has not run yet. It is a cancellation up to the moment at which power-on is
 * scheduled, and nothing from there on: a cancellation would park a machine that runs. Only the batch that has started this recovery
 * may wish that: by the time the wish arrives, its name may be another's.
 */
export function takeBackOnWish(run: Run): void {
	setHandler(takeBackSignal, sent => {
		const parsed = askedSchema.safeParse(sent);
		if (!parsed.success || parsed.data.batch !== run.batch || run.state.powerScheduled) {
			const batch = parsed.data?.batch ?? 'not understood';
			log.info('not taken back', { powerScheduled: run.state.powerScheduled, batch });
			return;
		}
		const { by, reason } = parsed.data;
		run.state.takenBack = reason === undefined ? { by } : { by, reason };
		run.cancelRequested();
	});
}

/** Why a recovery was cancelled that has not run. */
export function cancelledBy(takenBack: Asked | null): ErrorDocument {
	if (takenBack === null) return cancelledDocument;
	const { by, reason } = takenBack;
	return { code: cancelledDocument.code, message: `taken back by ${by}${reason ? `: ${reason}` : ''}` };
}
