import { retryClassOf } from '../../model/errors.ts';
import type { Asked } from '../contracts.ts';
import type { BatchEvent } from './events.ts';
import type { Layout } from './layout.ts';
import { shortReason } from './reason.ts';
import { tryAgainMs } from './times.ts';
import { type BatchState, beginAnew, changeItems, hasFailed, isUnderWay, type Item } from './state.ts';

/** Nothing more is started; what a discard has begun goes on. */
export function cancel(state: BatchState, { by, reason }: Asked): BatchState {
	if (state.stop && state.stop.why !== 'failed') return state;
	return { ...state, stop: { why: 'cancelled', code: 'interrupted', reason: said('cancelled', by, reason) } };
}

/**
 * What has failed begins anew, what is parked is told to go on. A machine that is not ready is asked by nobody any more:
 * whoever orders a retry has looked at it, and lets those go on who follow. One that may run somewhere already begins anew
 * only when it is named in `again`.
 */
export function retry(
	{ places }: Layout,
	state: BatchState,
	{ asked, again = [] }: Pick<Extract<BatchEvent, { type: 'retry' }>, 'asked' | 'again'>,
): BatchState {
	const named = new Set(again);
	const next = changeItems(state, state.items.keys(), (item, index) =>
		retried(item, named.has(places[index]?.item.name ?? '')),
	);
	return { ...next, endedMs: null, stop: null, asked: { ...state.asked, retry: asked } };
}

function retried(item: Item, named: boolean): Item {
	if (hasFailed(item)) return named ? { ...beginAnew(item), again: true } : mayRunTwice(item) ? item : beginAnew(item);
	if (item.leaving) return item;
	if (item.owes.includes('take-back') && !item.busy)
		return { ...item, owes: item.owes.filter(owed => owed !== 'take-back'), unwanted: false };
	if (item.state === 'not_ready') return { ...item, overlooked: true };
	// Of one that nobody has looked for yet it is seen when it is found whether it is parked.
	if (item.state !== 'parked' && item.looked) return item;
	const again = item.again || (named && !item.looked);
	return { ...item, again, owes: [...item.owes.filter(owed => owed !== 'retry'), 'retry'] };
}

/** Its history does not know whether a host has its machine. */
function mayRunTwice({ code }: Item): boolean {
	return code === 'place_unknown';
}

/** How many items a retry helps, as far as is known. */
export function countRetried({ places }: Layout, { items }: BatchState, again: readonly string[] = []): number {
	const named = new Set(again);
	return items.filter((item, index) => item.looked && retried(item, named.has(places[index]?.item.name ?? '')) !== item)
		.length;
}

/**
 * Every recovery that is open and that this batch has started, whatever its machine has written, and nothing is started. Of
 * others, which it has only found, those that a person has named.
 */
export function discard({ places }: Layout, state: BatchState, asked: Asked, found: readonly string[]): BatchState {
	const named = new Set(found);
	const next = changeItems(state, state.items.keys(), (item, index) => {
		const isNamed = named.has(places[index]?.item.name ?? '');
		if (item.state === 'waiting' && isNamed) return { ...item, owes: ['discard'] };
		if (!isUnderWay(item) || !(item.own || isNamed)) return item;
		const owes = item.owes.filter(owed => owed === 'tell');
		return { ...item, owes: [...owes, 'discard'], leaving: true };
	});
	const reason = said('discarded', asked.by, asked.reason);
	return {
		...next,
		endedMs: null,
		stop: { why: 'discarded', code: 'interrupted', reason },
		asked: { ...state.asked, discard: asked },
	};
}

export function countDiscarded({ items }: BatchState): number {
	return items.filter(({ leaving }) => leaving).length;
}

function said(what: string, by: string, reason: string | undefined): string {
	return `${what} by ${by}${reason ? `: ${reason}` : ''}`;
}

/** What the recoveries made of an order. One that could not be reached is told again. */
export function ordered(
	{ places }: Layout,
	state: BatchState,
	{ order, items, answers, atMs }: Extract<BatchEvent, { type: 'ordered' }>,
): BatchState {
	const byName = new Map(answers.map(answer => [answer.name, answer]));
	return changeItems(state, items, (item, index) => {
		const free = { ...item, busy: false };
		const refused = byName.get(places[index]?.item.name ?? '')?.refused;
		if (refused === undefined || (refused && retryClassOf(refused.code) === 'transient'))
			return { ...free, againMs: atMs + tryAgainMs };
		const done = { ...free, owes: free.owes.filter(owed => owed !== order) };
		if (!isUnderWay(item) || (refused === null && order === 'discard')) return done;
		// What it is from then on, or why it refuses, is seen by a look at it, unless it says so itself before.
		const seen = { ...done, doubtful: true };
		if (refused === null) return seen;
		const leaving = order === 'discard' ? false : seen.leaving;
		return { ...seen, leaving, code: refused.code, reason: shortReason(refused.reason) };
	});
}

/** A signal to a recovery has come, or none of that name is open: then it is looked at. */
export function told(state: BatchState, { items, what, arrived }: Extract<BatchEvent, { type: 'told' }>): BatchState {
	return changeItems(state, items, item => ({
		...item,
		busy: false,
		owes: item.owes.filter(owed => owed !== what),
		doubtful: item.doubtful || !arrived,
	}));
}

export function noAnswer(state: BatchState, items: readonly number[], atMs: number): BatchState {
	return changeItems(state, items, item => ({ ...item, busy: false, againMs: atMs + tryAgainMs }));
}
