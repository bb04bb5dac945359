import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { Prepared } from '../../model/batch-glance.ts';
import { attempt } from '../attempt.ts';
import type { ItemRecoveries } from './item-recoveries.ts';

export const prepareItems =
	(recoveries: ItemRecoveries) =>
	({ items, again }: ActivityInput<'prepareItems'>): Promise<Prepared[]> =>
		attempt(({ signal }) => recoveries.prepare(items, { again, signal }));
