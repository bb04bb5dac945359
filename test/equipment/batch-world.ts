import assert from 'node:assert/strict';
import type { BatchPlan } from '../../model/batch.ts';
import type { ItemGlance, Prepared } from '../../model/batch-glance.ts';
import type { ItemNews } from '../../workflows/batch-contracts.ts';
import type { BatchEffect, Happening } from '../../workflows/batch/events.ts';
import { BatchSite, recoveryIdOf } from './batch-site.ts';
import { Random } from './seeds/random.ts';
import { type Fate, WorldRecovery } from './world-recovery.ts';

/** Messages take up to so many steps, so a later one may come before an earlier one. */
const longestWay = 4;
const stepMs = 45_000;

/**
 * Recoveries around a batch, each with its fate. News is lost to no one but by force, and comes late, twice and in any
 * order; answers come late, and some do not; the batch continues as new whenever it may.
 */
export class BatchWorld {
	readonly site: BatchSite;
	/** By name, the latest of each. */
	readonly recoveries = new Map<string, WorldRecovery>();
	readonly begun: string[] = [];
	runs = 1;
	readonly #plan: BatchPlan;
	readonly #fates: (name: string, time: number) => Fate;
	readonly #random: Random;
	readonly #times = new Map<string, number>();
	#way: { happening: Happening; at: number }[] = [];
	/** Answers on their way: the batch may not continue as new. */
	#underWay = 0;
	#step = 0;
	/** Machines that were not ready in time hold up nobody from then on, if they were that before. */
	#retried = false;

	constructor(plan: BatchPlan, fates: (name: string, time: number) => Fate, seed: number) {
		this.site = new BatchSite(plan);
		this.#plan = plan;
		this.#fates = fates;
		this.#random = new Random(seed);
	}

	get isOver(): boolean {
		return this.site.state.endedMs !== null;
	}

	/** All that its recovery has told has arrived. */
	isHeard(name: string): boolean {
		return !this.#way.some(({ happening }) => happening.type === 'news' && happening.news.item === name);
	}

	/** One that is there before the batch is. */
	exists(name: string): void {
		this.#begin(name);
	}

	step(): void {
		this.#step += 1;
		this.site.nowMs += stepMs;
		for (const [name, recovery] of this.recoveries) this.#live(name, recovery);
		const due = this.#way.filter(({ at }) => at <= this.#step);
		this.#way = this.#way.filter(({ at }) => at > this.#step);
		for (const { happening } of due) {
			if (isAnswer(happening)) this.#underWay -= 1;
			this.site.happens(happening);
		}
		if (this.#underWay === 0 && this.#roll(3)) {
			if (!this.isOver) this.site.continueAsNew();
			this.runs += 1;
		}
		for (const effect of this.site.tick()) this.#carryOut(effect);
	}

	order(happening: Extract<Happening, { type: 'cancel' | 'retry' | 'discard' }>): void {
		this.#retried ||= happening.type === 'retry';
		this.site.happens(happening);
	}

	#live(name: string, recovery: WorldRecovery): void {
		for (const is of recovery.live(this.#random)) if (recovery.tells) this.#news(name, recovery, is);
	}

	#news(name: string, recovery: WorldRecovery, is: ItemNews['is']): void {
		const { recoveryId, phase } = recovery;
		const number = recovery.nextNumber();
		const news: ItemNews = {
			item: name,
			recoveryId,
			number,
			is,
			parked: recovery.parked,
			phase,
			code: null,
			reason: null,
		};
		for (let copy = this.#roll(4) ? 2 : 1; copy > 0; copy -= 1) this.#send({ type: 'news', news });
	}

	#send(happening: Happening): void {
		if (isAnswer(happening)) this.#underWay += 1;
		this.#way.push({ happening, at: this.#step + 1 + this.#random.below(longestWay) });
	}

	#carryOut(effect: BatchEffect): void {
		switch (effect.type) {
			case 'prepare':
				this.#answer(effect.items, items => ({
					type: 'prepared',
					items,
					answers: items.map(each => this.#prepare(each)),
				}));
				return;
			case 'look':
				this.#answer(effect.items, items => ({
					type: 'looked',
					items,
					answers: items.map(each => {
						const name = this.site.nameOf(each);
						return { name, glance: glanceOf(this.recoveries.get(name)) };
					}),
					askedMs: effect.askedMs,
				}));
				return;
			case 'order': {
				const { order } = effect;
				this.#answer(effect.items, items => ({
					type: 'ordered',
					order,
					items,
					answers: items.map(each => this.#order(order, each)),
				}));
				return;
			}
			case 'start':
				this.#start(effect.item);
				return;
			case 'tell':
				this.#tell(effect.item, effect.what);
				return;
			default:
				effect satisfies never;
		}
	}

	/** What is seen is seen at some moment between the question and the answer: here at the question. */
	#answer(items: readonly number[], answer: (items: readonly number[]) => Happening): void {
		this.#send(this.#roll(5) ? { type: 'no-answer', items } : answer(items));
	}

	#prepare(index: number): Prepared {
		const name = this.site.nameOf(index);
		const glance = glanceOf(this.recoveries.get(name));
		if (glance === null || glance.phase === 'failed') return { name, is: 'free' };
		if (glance.closed === null || glance.phase === 'finished') return { name, is: 'found', glance };
		return { name, is: 'refused', code: 'name_conflict', reason: `it was ${glance.phase}` };
	}

	#start(index: number): void {
		const name = this.site.nameOf(index);
		if (this.recoveries.get(name)?.isOpen) {
			this.#send({ type: 'taken', items: [index] });
			return;
		}
		this.#checkStart(name);
		this.begun.push(name);
		const recovery = this.#begin(name);
		recovery.tells = true;
		recovery.batch = this.#plan.name;
		this.#send({ type: 'started', items: [index] });
	}

	#begin(name: string): WorldRecovery {
		const time = (this.#times.get(name) ?? 0) + 1;
		this.#times.set(name, time);
		const recovery = new WorldRecovery(recoveryIdOf(name, time), this.#fates(name, time));
		this.recoveries.set(name, recovery);
		return recovery;
	}

	/** By what the recoveries are, not by what the batch believes. */
	#checkStart(name: string): void {
		const item = this.#plan.items.find(each => each.name === name);
		const after = this.#plan.groups.find(group => group.name === item?.group)?.after ?? [];
		for (const other of this.#plan.items.filter(({ group }) => after.includes(group))) {
			const recovery = this.recoveries.get(other.name);
			const isOverlooked = this.#retried && recovery?.late === true;
			const through = recovery !== undefined && (recovery.wasReady || !recovery.isOpen || isOverlooked);
			const { state } = this.site.item(other.name);
			assert.ok(through || state === 'refused', `${name} starts in step ${this.#step} before ${other.name} (${state})`);
		}
		const moving = Object.values(this.site.states()).filter(state => state === 'starting').length;
		assert.ok(moving <= this.#plan.window, `${moving} on their way, with ${name}`);
	}

	#tell(index: number, what: 'tell' | 'take-back'): void {
		const name = this.site.nameOf(index);
		const recovery = this.recoveries.get(name);
		const arrived = recovery?.isOpen === true;
		if (recovery && arrived) {
			if (what === 'tell') {
				recovery.tells = true;
				for (const is of recovery.standing()) this.#news(name, recovery, is);
			} else for (const is of recovery.takeBack()) this.#news(name, recovery, is);
		}
		this.#send({ type: 'told', what, items: [index], arrived });
	}

	#order(order: 'retry' | 'discard', index: number) {
		const name = this.site.nameOf(index);
		const recovery = this.recoveries.get(name);
		if (!recovery?.isOpen) return { name, refused: { code: 'phase_wrong' as const, reason: 'it is over' } };
		if (this.#roll(6)) return { name, refused: { code: 'worker_missing' as const, reason: 'nobody' } };
		if (order === 'discard' && this.site.state.items[index]?.own && recovery.batch !== this.#plan.name)
			return { name, refused: { code: 'identity_conflict' as const, reason: 'it is not its own' } };
		for (const is of order === 'retry' ? recovery.unpark() : recovery.discard()) this.#news(name, recovery, is);
		return { name, refused: null };
	}

	/** Once in so many times. */
	#roll(sides: number): boolean {
		return this.#random.below(sides) === 0;
	}
}

function isAnswer({ type }: Happening): boolean {
	return type !== 'news' && type !== 'cancel' && type !== 'retry' && type !== 'discard' && type !== 'tick';
}

function glanceOf(recovery: WorldRecovery | undefined): ItemGlance | null {
	if (!recovery) return null;
	const { recoveryId, batch, phase, isOpen, wasReady, late, parked, byForce } = recovery;
	return {
		recoveryId,
		batch,
		phase,
		closed: byForce ? 'force' : isOpen ? null : 'ended',
		readiness: wasReady ? 'ready' : late ? 'not_ready' : null,
		parked,
		code: null,
		reason: null,
	};
}
