import type { BatchItem } from '../../model/batch.ts';
import type { LookedAt, Ordered, Prepared } from '../../model/batch-glance.ts';

export type ItemName = Pick<BatchItem, 'name' | 'requestHash'>;

/** The recoveries of a batch's items, as Temporal and their hosts know them. */
export interface ItemRecoveries {
	/** What stands in the way of starting each, in the same order. `again`: see `BatchInput`; of an item: said of it by name. */
	prepare(
		items: readonly (ItemName & { again?: boolean | undefined })[],
		how: { again: boolean; signal: AbortSignal },
	): Promise<Prepared[]>;
	look(items: readonly ItemName[], how: { signal: AbortSignal }): Promise<LookedAt[]>;
	/** One that cannot be reached, or refuses, holds up none of the others. */
	order(
		order: 'retry' | 'discard',
		items: readonly (ItemName & { recoveryId: string | null; own: boolean })[],
		how: { batch: string; by: string; reason?: string | undefined; signal: AbortSignal },
	): Promise<Ordered[]>;
}
