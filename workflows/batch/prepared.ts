import type { Prepared } from '../../model/batch-glance.ts';
import type { BatchEvent } from './events.ts';
import { heedFailures } from './failures.ts';
import type { Layout } from './layout.ts';
import { seen } from './recovery-state.ts';
import { shortReason } from './reason.ts';
import { tryAgainMs } from './times.ts';
import { type BatchState, changeItems, isUnderWay, type Item, type Owed } from './state.ts';

/** What exists of these items is known now: it is watched, or nothing is in the way. */
export function prepared(
	layout: Layout,
	state: BatchState,
	{ items, answers, atMs }: Extract<BatchEvent, { type: 'prepared' }>,
): BatchState {
	const byName = new Map(answers.map(answer => [answer.name, answer]));
	const next = changeItems(state, items, (item, index) => {
		const answer = byName.get(layout.places[index]?.item.name ?? '');
		const free = { ...item, busy: false };
		return answer ? take(free, answer, { layout, state, atMs }) : { ...free, againMs: atMs + tryAgainMs };
	});
	return heedFailures(layout, next, items);
}

interface Context {
	layout: Layout;
	state: BatchState;
	atMs: number;
}

function take(item: Item, answer: Prepared, { layout, state, atMs }: Context): Item {
	const looked = { ...item, looked: true, owes: [] };
	switch (answer.is) {
		case 'free':
			return { ...looked, freeMs: atMs };
		case 'refused':
			return {
				...looked,
				state: 'refused',
				phase: answer.phase ?? null,
				code: answer.code,
				reason: shortReason(answer.reason),
			};
		case 'found': {
			const own = answer.glance.batch === layout.plan.name;
			const found = seen({ ...looked, found: true, own, number: 0 }, answer.glance, { atMs, isNew: true });
			if (!isUnderWay(found)) return found;
			// One that it has not started is discarded when it was named, which is all that is remembered of it.
			const leaving = state.stop?.why === 'discarded' && (own || item.owes.includes('discard'));
			// A batch that was started again to retry does so with what it finds.
			const retry = item.owes.includes('retry');
			const owes: Owed[] = [
				'tell',
				...(leaving ? ['discard' as const] : retry && found.state === 'parked' ? ['retry' as const] : []),
			];
			return { ...found, owes, leaving, overlooked: retry && found.late };
		}
		default:
			return answer satisfies never;
	}
}

/** The recovery is open; what it has told already stands. */
export function started(state: BatchState, items: readonly number[]): BatchState {
	return changeItems(state, items, item => ({ ...item, busy: false }));
}

/** Somebody was faster: what they started is looked at, as if nothing had been. */
export function taken(state: BatchState, items: readonly number[]): BatchState {
	return changeItems(state, items, item => {
		const free = { ...item, busy: false };
		if (!isUnderWay(item)) return free;
		return { ...free, state: 'waiting', startedMs: null, freeMs: null, own: false, owes: [], leaving: false };
	});
}

export function notStarted(
	layout: Layout,
	state: BatchState,
	{ items, code, reason }: Extract<BatchEvent, { type: 'not-started' }>,
): BatchState {
	const next = changeItems(state, items, item => ({
		...item,
		busy: false,
		state: 'refused',
		code,
		reason: shortReason(reason),
		owes: [],
		leaving: false,
	}));
	return heedFailures(layout, next, items);
}
