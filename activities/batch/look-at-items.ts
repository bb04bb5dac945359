import type { ActivityInput } from '../../model/activity-inputs.ts';
import type { LookedAt } from '../../model/batch-glance.ts';
import { attempt } from '../attempt.ts';
import type { ItemRecoveries } from './item-recoveries.ts';

export const lookAtItems =
	(recoveries: ItemRecoveries) =>
	({ items }: ActivityInput<'lookAtItems'>): Promise<LookedAt[]> =>
		attempt(({ signal }) => recoveries.look(items, { signal }));
