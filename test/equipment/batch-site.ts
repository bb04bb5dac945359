import type { BatchItem, BatchPlan } from '../../model/batch.ts';
import type { ItemGlance, Prepared } from '../../model/batch-glance.ts';
import type { ItemState, ItemView } from '../../model/batch-view.ts';
import type { ItemNews } from '../../workflows/batch-contracts.ts';
import { dehydrate } from '../../workflows/batch/dehydrate.ts';
import type { BatchEffect, Happening } from '../../workflows/batch/events.ts';
import { type Layout, layoutOf } from '../../workflows/batch/layout.ts';
import { reduce } from '../../workflows/batch/reduce.ts';
import { rehydrate } from '../../workflows/batch/rehydrate.ts';
import { type BatchState, emptyBatch } from '../../workflows/batch/state.ts';
import { viewOf } from '../../workflows/batch/view.ts';
import { makeRequest } from './recovery-request.ts';

export const asked = { by: 'ann', reason: 'because' };

/** Items by the name of their group: `{db: ['db1'], web: ['w1', 'w2']}`; `after` by group. */
export function batchPlan(
	groups: Readonly<Record<string, readonly string[]>>,
	{ after = {}, ...changes }: Partial<BatchPlan> & { after?: Readonly<Record<string, string[]>> } = {},
): BatchPlan {
	const { name: _name, machine: _machine, machineName: _machineName, ...common } = makeRequest();
	const items = Object.entries(groups).flatMap(([group, names]) => names.map(name => batchItem(name, group)));
	return {
		name: 'site',
		common,
		items,
		groups: Object.keys(groups).map(name => ({ name, after: after[name] ?? [] })),
		window: 100,
		onFailure: 'continue',
		reason: '',
		requestedBy: 'ann',
		...changes,
	};
}

export function batchItem(name: string, group: string): BatchItem {
	return { name, group, requestHash: 'c'.repeat(64), differs: { machine: name, machineName: name } };
}

/** A recovery of its own for each name and each time it was started. */
export function recoveryIdOf(name: string, time = 1): string {
	const hex = Buffer.from(`${time}${name}`).toString('hex').padEnd(12, '0').slice(0, 12);
	return `00000000-0000-4000-8000-${hex}`;
}

export const running: ItemGlance = {
	recoveryId: null,
	batch: null,
	phase: 'running',
	closed: null,
	readiness: null,
	parked: false,
	code: null,
	reason: null,
};

/** Started by an earlier beginning of the batch. */
export const own: ItemGlance = { ...running, batch: 'site' };

type Answer = Prepared extends infer Each ? (Each extends Prepared ? Omit<Each, 'name'> : never) : never;

const nothing: Answer = { is: 'free' };

/** A batch by hand: time stands until it is moved, and what is to be done is answered by hand. */
export class BatchSite {
	nowMs = 1_800_000_000_000;
	state: BatchState;
	readonly layout: Layout;
	#number = 0;

	constructor(plan: BatchPlan) {
		this.layout = layoutOf(plan);
		this.state = emptyBatch(plan.items, this.nowMs);
	}

	happens(happening: Happening): BatchEffect[] {
		const { state, effects } = reduce(this.layout, this.state, { ...happening, atMs: this.nowMs });
		this.state = state;
		return [...effects];
	}

	tick(afterMs = 0): BatchEffect[] {
		this.nowMs += afterMs;
		return this.happens({ type: 'tick' });
	}

	/** Rounds, until nothing is left to do; every question is answered as `found` says, else that nothing is in the way. What was started. */
	go(found: Readonly<Record<string, Answer>> = {}): string[] {
		const names: string[] = [];
		for (let effects = this.tick(); effects.length > 0; effects = this.tick()) {
			for (const effect of effects) {
				if (effect.type === 'start') names.push(this.nameOf(effect.item));
				this.answer(effect, found);
			}
		}
		return names;
	}

	answer(effect: BatchEffect, found: Readonly<Record<string, Answer>> = {}): void {
		if (effect.type === 'start') this.happens({ type: 'started', items: [effect.item] });
		if (effect.type === 'tell') this.happens({ type: 'told', what: effect.what, items: [effect.item], arrived: true });
		if (effect.type === 'order') {
			const answers = effect.items.map(index => ({ name: this.nameOf(index), refused: null }));
			this.happens({ type: 'ordered', order: effect.order, items: effect.items, answers });
		}
		if (effect.type === 'look') {
			const answers = effect.items.map(index => ({ name: this.nameOf(index), glance: running }));
			this.happens({ type: 'looked', items: effect.items, answers, askedMs: effect.askedMs });
		}
		if (effect.type !== 'prepare') return;
		const answers = effect.items.map((index): Prepared => {
			const name = this.nameOf(index);
			return { ...(found[name] ?? nothing), name };
		});
		this.happens({ type: 'prepared', items: effect.items, answers });
	}

	nameOf(index: number): string {
		return this.layout.places[index]?.item.name ?? '';
	}

	/** Of its first recovery, unless `more` says another; each is newer than those before. */
	news(item: string, is: ItemNews['is'], more: Partial<ItemNews> = {}): void {
		this.#number += 1;
		this.happens({
			type: 'news',
			news: {
				item,
				is,
				recoveryId: recoveryIdOf(item),
				number: this.#number,
				parked: is === 'parked',
				phase: 'running',
				code: null,
				reason: null,
				...more,
			},
		});
	}

	ready(...items: string[]): void {
		for (const item of items) this.news(item, 'ready');
	}

	failed(item: string, more: Partial<ItemNews> = {}): void {
		this.news(item, 'ended', { phase: 'failed', code: 'space_short', reason: 'no room', ...more });
	}

	item(name: string): ItemView {
		const item = viewOf(this.layout, this.state).items.find(each => each.name === name);
		if (!item) throw new Error(`there is no item ${name}`);
		return item;
	}

	states(): Record<string, ItemState> {
		return Object.fromEntries(viewOf(this.layout, this.state).items.map(({ name, state }) => [name, state]));
	}

	/** By way of JSON, as Temporal would hand it over. */
	continueAsNew(): void {
		this.state = rehydrate(JSON.parse(JSON.stringify(dehydrate(this.state))), this.layout);
	}
}
