import { type DurableItem, type DurableState, itemFlags, stateVersion } from './durable-state.ts';
import type { BatchState, Item } from './state.ts';

/** The state for the next run, of a batch that is not over and has no effect under way. Nothing is left out. */
export function dehydrate({ startedMs, lookedMs, stop, asked, items }: BatchState): DurableState {
	const reasons = new Map<string, number>();
	const numberOf = (reason: string): number => {
		const number = reasons.get(reason) ?? reasons.size;
		reasons.set(reason, number);
		return number;
	};
	const durable = items.map(item => itemIn(item, startedMs, numberOf));
	return {
		version: stateVersion,
		startedMs,
		lookedMs,
		stop,
		asked,
		items: durable,
		// Last: the items have put theirs in.
		reasons: [...reasons.keys()],
	};
}

function itemIn(item: Item, beganMs: number, numberOf: (reason: string) => number): DurableItem {
	const { state, phase, recoveryId, past, number, code, reason, owes } = item;
	const { startedMs, readyMs, freeMs, heardMs, againMs } = item;
	const flags = itemFlags.filter(flag => item[flag]);
	const times = [startedMs, readyMs, freeMs, heardMs, againMs].map(ms => (ms === null ? null : ms - beganMs));
	return [
		state,
		phase,
		recoveryId,
		[...past],
		number,
		code,
		reason === null ? null : numberOf(reason),
		times,
		flags,
		[...owes],
	];
}
