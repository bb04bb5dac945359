import { batchLimits } from '../../model/batch.ts';
import type { BatchEffect, Reduced } from './events.ts';
import { startable } from './groups.ts';
import type { Layout } from './layout.ts';
import { freeForMs, lookEveryMs } from './times.ts';
import { type BatchState, isLeftAlone, isUnderWay, isUnsettled, type Item } from './state.ts';

/** One round: what the state asks for is begun, and noted as under way. */
export function tick(layout: Layout, state: BatchState, atMs: number): Reduced {
	if (state.endedMs !== null) return { state, effects: [] };
	const items = state.items.map(item => leftOut(dueAgain(item, atMs), state));
	const round = new Round(layout, { ...state, items }, atMs);
	const effects = [...round.search(), ...round.start(), ...round.say(), ...round.look()];
	const over = !round.items.some(item => isUnsettled(item) && !isLeftAlone(item, state));
	const lookedMs = state.lookedMs + lookEveryMs <= atMs ? atMs : state.lookedMs;
	return { state: { ...state, items: round.items, lookedMs, endedMs: over ? atMs : null }, effects };
}

function dueAgain(item: Item, atMs: number): Item {
	return item.againMs !== null && item.againMs <= atMs ? { ...item, againMs: null } : item;
}

function leftOut(item: Item, { stop }: BatchState): Item {
	if (!stop || item.state !== 'waiting' || !item.looked || item.busy) return item;
	return { ...item, state: 'left_out', code: stop.code, reason: stop.reason };
}

/** When something is to be done though nothing happens; null when that never is. */
export function nextTickMs({ items, lookedMs }: BatchState): number | null {
	let nextMs: number | null = null;
	for (const item of items) {
		const dueMs = dueOf(item, lookedMs);
		if (dueMs !== null && (nextMs === null || dueMs < nextMs)) nextMs = dueMs;
	}
	return nextMs;
}

function dueOf(item: Item, lookedMs: number): number | null {
	if (item.busy) return null;
	if (item.againMs !== null && (item.state === 'waiting' || item.owes.length > 0)) return item.againMs;
	if (isUnderWay(item) && item.doubtful) return item.againMs ?? 0;
	return mayBeSilent(item) ? lookedMs + lookEveryMs : null;
}

/** It matters to the batch what becomes of it. */
function mayBeSilent(item: Item): boolean {
	return isUnderWay(item) && (item.state !== 'ready' || item.leaving);
}

class Round {
	readonly items: Item[];
	readonly #layout: Layout;
	readonly #state: BatchState;
	readonly #atMs: number;

	constructor(layout: Layout, state: BatchState, atMs: number) {
		this.#layout = layout;
		this.#state = state;
		this.#atMs = atMs;
		this.items = [...state.items];
	}

	/** What exists already is known of all before anything is started. One question at a time, with many items. */
	search(): BatchEffect[] {
		if (this.items.some(item => !item.looked && item.busy)) return [];
		const first = this.#indexes(item => !item.looked && this.#isDue(item)).slice(0, batchLimits.asked);
		return this.#parts(first, batchLimits.asked).map(items => ({ type: 'prepare', items }));
	}

	start(): BatchEffect[] {
		if (this.#state.stop || this.items.some(item => !item.looked)) return [];
		let room = this.#layout.plan.window - this.items.filter(takesRoom).length;
		const effects: BatchEffect[] = [];
		const doubtful: number[] = [];
		for (const index of startable(this.#layout, this.items)) {
			if (room <= 0 || effects.length === batchLimits.started) break; // each comes back, and another round with it
			const item = this.items[index];
			if (!item || takesRoom(item) || !this.#isDue(item)) continue;
			room -= 1;
			if (item.freeMs !== null && item.freeMs + freeForMs >= this.#atMs) {
				const state = 'starting';
				this.items[index] = {
					...item,
					state,
					own: true,
					again: false,
					busy: true,
					freeMs: null,
					startedMs: this.#atMs,
					heardMs: this.#atMs,
				};
				effects.push({ type: 'start', item: index });
			} else doubtful.push(index);
		}
		return [
			...effects,
			...this.#parts(doubtful, batchLimits.asked).map(items => ({ type: 'prepare' as const, items })),
		];
	}

	/** Whom to tell comes first, so that what an order leads to is told. */
	say(): BatchEffect[] {
		const effects: BatchEffect[] = [];
		for (const [index, item] of this.items.entries()) {
			const [what] = item.owes;
			if ((what !== 'tell' && what !== 'take-back') || !isUnderWay(item) || !this.#isDue(item)) continue;
			this.items[index] = { ...item, busy: true };
			effects.push({ type: 'tell', what, item: index });
		}
		for (const order of ['discard', 'retry'] as const) {
			const asked = this.#state.asked[order];
			const due = this.#indexes(item => item.owes[0] === order && isUnderWay(item) && this.#isDue(item));
			if (asked)
				for (const items of this.#parts(due, batchLimits.ordered)) effects.push({ type: 'order', order, asked, items });
		}
		return effects;
	}

	/** The silent ones all at once, so that a busy batch does not ask about each alone. */
	look(): BatchEffect[] {
		const askedMs = this.#atMs;
		const isTime = this.#state.lookedMs + lookEveryMs <= askedMs;
		const isSilent = (item: Item) => {
			if (!isUnderWay(item) || !this.#isDue(item)) return false;
			return item.doubtful || (isTime && mayBeSilent(item) && (item.heardMs ?? 0) + lookEveryMs <= askedMs);
		};
		return this.#parts(this.#indexes(isSilent), batchLimits.asked).map(items => ({ type: 'look', items, askedMs }));
	}

	#isDue({ busy, againMs }: Item): boolean {
		return !busy && againMs === null;
	}

	#indexes(wanted: (item: Item) => boolean): number[] {
		return [...this.items.entries()].filter(([, item]) => wanted(item)).map(([index]) => index);
	}

	#parts(indexes: readonly number[], size: number): number[][] {
		for (const index of indexes) {
			const item = this.items[index];
			if (item) this.items[index] = { ...item, busy: true };
		}
		return Array.from({ length: Math.ceil(indexes.length / size) }, (_, part) =>
			indexes.slice(part * size, (part + 1) * size),
		);
	}
}

/** It is on its way, or is looked for in order to start. */
function takesRoom({ state, looked, busy }: Item): boolean {
	return state === 'starting' || (state === 'waiting' && looked && busy);
}
