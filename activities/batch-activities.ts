import { lookAtItems } from './batch/look-at-items.ts';
import { orderItems } from './batch/order-items.ts';
import { prepareItems } from './batch/prepare-items.ts';
import type { ItemRecoveries } from './batch/item-recoveries.ts';

/** What a control worker does for batches: it looks at recoveries, and gives them orders. */
export function createBatchActivities(recoveries: ItemRecoveries) {
	return {
		prepareItems: prepareItems(recoveries),
		lookAtItems: lookAtItems(recoveries),
		orderItems: orderItems(recoveries),
	};
}

export type BatchActivities = ReturnType<typeof createBatchActivities>;
