import type { Phase } from '../../model/recovery.ts';
import type { Layout } from './layout.ts';
import { type BatchState, changeAll, type Item } from './state.ts';

/** How a recovery ends that did what it should, or what a person wanted. */
const wanted: readonly (Phase | null)[] = ['finished', 'discarded', 'abandoned'];

/** What was taken back has not failed by itself: it comes to its end after the batch was told to go on, maybe. */
function isFailure({ state, phase, unwanted }: Item): boolean {
	if (unwanted && phase === 'failed') return false;
	return state === 'refused' || (state === 'ended' && !wanted.includes(phase));
}

/**
 * What the plan says about the others when one of these has failed. Machines that run are nobody's to stop: taken back is
 * what this batch started itself and has not seen powered on, and the recovery has the last word about that.
 */
export function heedFailures(layout: Layout, state: BatchState, changed: Iterable<number>): BatchState {
	const { onFailure } = layout.plan;
	if (state.stop !== null || onFailure === 'continue') return state;
	for (const index of changed) {
		const item = state.items[index];
		if (!item || !isFailure(item)) continue;
		const reason = `${layout.places[index]?.item.name} did not come back: ${item.reason ?? item.phase ?? item.state}`;
		const stopped: BatchState = { ...state, stop: { why: 'failed', code: item.code ?? 'internal', reason } };
		return onFailure === 'discard-unstarted' ? changeAll(stopped, takenBack) : stopped;
	}
	return state;
}

function takenBack(item: Item): Item {
	const mayBeTakenBack = item.state === 'starting' && !item.found && !item.owes.includes('discard');
	return mayBeTakenBack ? { ...item, owes: [...item.owes, 'take-back'], unwanted: true } : item;
}
