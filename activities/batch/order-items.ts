import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { Ordered } from '../../model/batch-glance.ts';
import { attempt } from '../attempt.ts';
import type { ItemRecoveries } from './item-recoveries.ts';

/** A workflow can send no updates, and only an update is answered. */
export const orderItems =
	(recoveries: ItemRecoveries) =>
	({ order, batch, items, by, reason }: ActivityInput<'orderItems'>): Promise<Ordered[]> =>
		attempt(({ signal }) => recoveries.order(order, items, { batch, by, reason, signal }));
