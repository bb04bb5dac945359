import type { BatchPlan } from '../../model/batch.ts';

/**
 * Whether two plans come to the same, whoever made them and why. Priorities and deadlines do not count, as in a request's
 * hash: `rto` is another time whenever it is said.
 */
export function isSamePlan(a: BatchPlan, b: BatchPlan): boolean {
	return JSON.stringify(essence(a)) === JSON.stringify(essence(b));
}

function essence({ items, groups, window, onFailure }: BatchPlan): unknown {
	return [
		items.map(({ name, group, requestHash }) => [name, group, requestHash]),
		groups.map(({ name, after }) => [name, after]),
		window,
		onFailure,
	];
}
