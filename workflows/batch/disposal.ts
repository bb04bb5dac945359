/** What only a drill does with its machines, which nobody is to work with. */
import { type BatchState, beginAnew, changeItems, isUnderWay } from './state.ts';

/** Nobody will look at them: whoever follows starts all the same, for each is to be tried. */
export function overlook(state: BatchState, items: readonly number[]): BatchState {
	return changeItems(state, items, item => ({ ...item, overlooked: true }));
}

/** Whatever their machines have written. */
export function throwAway(state: BatchState, items: readonly number[]): BatchState {
	return changeItems(state, items, item =>
		isUnderWay(item) && !item.leaving ? { ...item, owes: [...item.owes, 'take-back'], leaving: true } : item,
	);
}

/** What was found of an earlier drill, and has come to its end before it could be tried. */
export function again(state: BatchState, items: readonly number[]): BatchState {
	return changeItems(state, items, beginAnew);
}
