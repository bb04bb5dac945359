import type { Layout } from './layout.ts';
import { isThrough, type Item } from './state.ts';

/** Groups that hold up those who follow them: of each the first machine that does. */
export function holdingUp(layout: Layout, items: readonly Item[]): ReadonlyMap<string, number> {
	const holding = new Map<string, number>();
	for (const [name, indexes] of layout.groups) {
		const first = indexes.find(index => {
			const item = items[index];
			return item !== undefined && !isThrough(item);
		});
		if (first !== undefined) holding.set(name, first);
	}
	return holding;
}

/** Items that wait for nothing but the window, the most urgent first. */
export function startable(layout: Layout, items: readonly Item[]): number[] {
	const holding = holdingUp(layout, items);
	return layout.order.filter(
		index => items[index]?.state === 'waiting' && !layout.places[index]?.after.some(group => holding.has(group)),
	);
}
