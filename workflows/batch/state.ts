import type { BatchItem } from '../../model/batch.ts';
import type { ItemState } from '../../model/batch-view.ts';
import type { ErrorCode } from '../../model/errors.ts';
import type { Phase } from '../../model/recovery.ts';
import type { Asked } from '../contracts.ts';

/** What is still to be said to a recovery. */
export type Owed = 'tell' | 'take-back' | 'retry' | 'discard';

/** One machine of a batch. */
export interface Item {
	readonly state: ItemState;
	/** Last known of its recovery. */
	readonly phase: Phase | null;
	readonly recoveryId: string | null;
	/** Of recoveries that it had before: what comes of them is old. */
	readonly past: readonly string[];
	/** Of the last news of `recoveryId`. */
	readonly number: number;
	readonly code: ErrorCode | null;
	readonly reason: string | null;
	readonly found: boolean;
	/** Its recovery was started by this batch, in whichever of its beginnings. */
	readonly own: boolean;
	readonly startedMs: number | null;
	/** Once it was ready it counts as that for those who follow, whatever comes. */
	readonly readyMs: number | null;
	/** It was not ready in time. */
	readonly late: boolean;
	/** Those who follow do not wait for it any more: a person has looked at it. */
	readonly overlooked: boolean;
	/** It was looked for what exists of it. */
	readonly looked: boolean;
	/** When nothing stood in the way of its recovery. */
	readonly freeMs: number | null;
	/** When something was last heard of its recovery. */
	readonly heardMs: number | null;
	/** It is looked at as soon as may be. */
	readonly doubtful: boolean;
	/** In the order in which it is said. */
	readonly owes: readonly Owed[];
	/** Its discard was ordered, and it is not over. */
	readonly leaving: boolean;
	/** It was to be taken back before it ran: when it fails, that is why. */
	readonly unwanted: boolean;
	/** Nothing is asked or said before: what was tried last met nobody. */
	readonly againMs: number | null;
	/** A person has named it to be begun anew, whatever may be left of it somewhere. */
	readonly again: boolean;
	/** An effect about it is under way: there is never more than one. Not durable. */
	readonly busy: boolean;
}

/** Why nothing is started any more. */
export interface Stop {
	readonly why: 'cancelled' | 'failed' | 'discarded';
	readonly code: ErrorCode;
	readonly reason: string;
}

export interface BatchState {
	readonly startedMs: number;
	readonly endedMs: number | null;
	/** As in the plan. */
	readonly items: readonly Item[];
	readonly stop: Stop | null;
	/** Who gave the last order of its kind. */
	readonly asked: { readonly retry: Asked | null; readonly discard: Asked | null };
	/** When silent items were last looked at. */
	readonly lookedMs: number;
}

const waiting: Item = {
	state: 'waiting',
	phase: null,
	recoveryId: null,
	past: [],
	number: 0,
	code: null,
	reason: null,
	found: false,
	own: false,
	startedMs: null,
	readyMs: null,
	late: false,
	overlooked: false,
	looked: false,
	freeMs: null,
	heardMs: null,
	doubtful: false,
	owes: [],
	leaving: false,
	unwanted: false,
	againMs: null,
	again: false,
	busy: false,
};

export function emptyBatch(items: readonly BatchItem[], startedMs: number): BatchState {
	return {
		startedMs,
		endedMs: null,
		items: items.map(() => waiting),
		stop: null,
		asked: { retry: null, discard: null },
		lookedMs: startedMs,
	};
}

/** Each retry makes one; the last few are those of which something may still come. */
const keptPast = 4;

/** As at the start, but for what was before. An effect that is under way comes to its end first. */
export function beginAnew({ recoveryId, past, busy }: Item): Item {
	const all = recoveryId === null ? past : [...past, recoveryId];
	return { ...waiting, looked: true, busy, past: all.slice(-keptPast) };
}

/** @param indexes of the items that change */
export function changeItems(
	state: BatchState,
	indexes: Iterable<number>,
	change: (item: Item, index: number) => Item,
): BatchState {
	const items = [...state.items];
	for (const index of indexes) {
		const item = items[index];
		if (item) items[index] = change(item, index);
	}
	return { ...state, items };
}

export function changeAll(state: BatchState, change: (item: Item) => Item): BatchState {
	return { ...state, items: state.items.map(change) };
}

/** It has a recovery that is not over. */
export function isUnderWay({ state }: Pick<Item, 'state'>): boolean {
	return state === 'starting' || state === 'ready' || state === 'not_ready' || state === 'parked';
}

/** Something of it is still to come before the batch can be over. */
export function isUnsettled(item: Item): boolean {
	const { state, owes, leaving, busy, doubtful } = item;
	const isOpen = isUnderWay(item) && (owes.length > 0 || leaving || doubtful);
	return state === 'waiting' || state === 'starting' || isOpen || busy;
}

/** It holds up nobody who follows: it is ready, or as good as it gets, or nothing will come of it. */
export function isThrough({ state, readyMs, overlooked }: Item): boolean {
	return readyMs !== null || overlooked || state === 'ended' || state === 'refused';
}

/** A discard has passed it over, and nothing is owed to it: what becomes of it is no affair of the batch any more. */
export function isLeftAlone(item: Item, { stop }: Pick<BatchState, 'stop'>): boolean {
	const { own, owes, leaving, busy, doubtful } = item;
	return stop?.why === 'discarded' && isUnderWay(item) && !own && !leaving && owes.length === 0 && !busy && !doubtful;
}

/** What may be tried once more from the start. */
export function hasFailed({ state, phase }: Item): boolean {
	return state === 'refused' || state === 'left_out' || (state === 'ended' && phase === 'failed');
}
