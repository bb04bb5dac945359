/** What a drill can be told and asked. Set before the first await: a signal may be older than the run. */
import { log, setHandler } from '@temporalio/workflow';
import { refusalText } from '../../model/issue-text.ts';
import { itemNewsSignal } from '../batch-contracts.ts';
import { askedSchema, checkOrder, newsSchema } from '../batch/messages.ts';
import { cancelDrillUpdate, drillViewQuery } from '../drill-contracts.ts';
import type { DrillRun } from './run.ts';

export function takeDrillMessages(run: DrillRun): void {
	setHandler(drillViewQuery, () => run.view());
	setHandler(itemNewsSignal, told => {
		const parsed = newsSchema.safeParse(told);
		if (parsed.success) run.batch.happens({ type: 'news', news: parsed.data });
		else log.warn('news of a recovery that cannot be read was left out', { issues: refusalText(parsed.error) });
	});
	setHandler(cancelDrillUpdate, asked => run.cancel(asked), { validator: asked => checkOrder(askedSchema, asked) });
}
