import { log, setHandler } from '@temporalio/workflow';
import * as z from 'zod';
import type { ErrorDocument } from '../model/errors.ts';
import { takeBackSignal } from './batch-contracts.ts';
import type { Asked } from './contracts.ts';
import { cancelledDocument } from './failures.ts';
import type { Run } from './run.ts';

const askedSchema = z.object({
	batch: z.string(),
	drill: z.literal(true).optional(),
	by: z.string().max(100),
	reason: z.string().max(500).optional(),
});

/**
 * The wish of a batch that gives up what has not run yet. It is a cancellation up to the moment at which power-on is
 * scheduled, and nothing from there on: a cancellation would park a machine that runs. Only the batch that has started this recovery
 * may wish that: by the time the wish arrives, its name may be another's. That of a drill is heeded at any time, and by
 * recoveries of that drill alone, as their own request says.
 */
export function takeBackOnWish(run: Run): void {
	setHandler(takeBackSignal, sent => {
		const { data: wish } = askedSchema.safeParse(sent);
		const disposable = run.request.drill !== undefined;
		// That of a drill may have been adopted since: of that nobody but its request knows whose it is.
		const owner = run.request.drill?.name ?? run.batch;
		const mayWish = wish?.batch === owner && wish?.batch !== undefined && (wish.drill ?? false) === disposable;
		if (!mayWish || (run.state.powerScheduled && !disposable)) {
			const batch = wish?.batch ?? 'not understood';
			log.info('not taken back', { powerScheduled: run.state.powerScheduled, batch });
			return;
		}
		const { by, reason } = wish;
		const asked = reason === undefined ? { by } : { by, reason };
		if (disposable) return throwAway(run, asked);
		run.state.takenBack = asked;
		run.cancelRequested();
	});
}

/** A drill that ends, in whatever way, has Temporal cancel its recoveries: nobody would come back to them. */
export function cancelledInTemporal(run: Run): void {
	if (run.request.drill) throwAway(run, { by: 'Temporal', reason: `the drill ${run.request.drill.name} is over` });
	else run.cancelRequested();
}

/** Without a confirmation: it is disposable since it was asked for, and its host looks at what it was told then. */
function throwAway(run: Run, asked: Asked): void {
	run.state.wanted.discard = asked;
	run.publish();
	run.reconsider();
}

/** Why a recovery was cancelled that has not run. */
export function cancelledBy(takenBack: Asked | null): ErrorDocument {
	if (takenBack === null) return cancelledDocument;
	const { by, reason } = takenBack;
	return { code: cancelledDocument.code, message: `taken back by ${by}${reason ? `: ${reason}` : ''}` };
}
