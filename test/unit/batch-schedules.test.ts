/** Random lives of the recoveries of a batch, with news that is late, repeated and in any order, and runs that end anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { ItemState } from '../../model/batch-view.ts';
import { asked, batchPlan } from '../equipment/batch-site.ts';
import { BatchWorld } from '../equipment/batch-world.ts';
import { Random } from '../equipment/seeds/random.ts';
import type { Fate, WorldRecovery } from '../equipment/world-recovery.ts';

const groups = { db: ['d1', 'd2', 'd3'], app: ['a1', 'a2', 'a3'], web: ['w1', 'w2'], other: ['o1', 'o2'] };
const names = Object.values(groups).flat();
const after = { app: ['db'], web: ['app', 'db'] };

/** Each recovery has one, which is the same whenever it is asked for. */
function fates(seed: number, possible: readonly Fate[]): (name: string, time: number) => Fate {
	return (name, time) => new Random(seed + names.indexOf(name) * 101 + time).pick(possible);
}

/** Far more than any of these lives takes. */
const longest = 3_000;

function untilOver(world: BatchWorld, each: (step: number) => void = () => {}): void {
	for (let step = 0; !world.isOver; step += 1) {
		assert.ok(step < longest, `it is not over: ${JSON.stringify(world.site.states())}`);
		each(step);
		world.step();
	}
}

function check(property: (seed: number) => void): void {
	fc.assert(fc.property(fc.nat(), property), { numRuns: 150, endOnFailure: true });
}

function worldOf(seed: number, possible: readonly Fate[], changes: Parameters<typeof batchPlan>[1] = {}): BatchWorld {
	const world = new BatchWorld(batchPlan(groups, { after, window: 2, ...changes }), fates(seed, possible), seed);
	for (const name of names) if (new Random(seed * 7 + names.indexOf(name)).chance(0.15)) world.exists(name);
	return world;
}

/** What the batch ends with is what its recoveries are, as far as they have been heard. */
function checkStates(world: BatchWorld, states: (recovery: WorldRecovery) => readonly ItemState[]): void {
	for (const [name, state] of Object.entries(world.site.states())) {
		const recovery = world.recoveries.get(name);
		if (recovery && world.isHeard(name) && state !== 'refused' && state !== 'left_out')
			assert.ok(states(recovery).includes(state), `${name} is ${recovery.phase}, and to the batch ${state}`);
	}
}

test('a batch ends, has started each machine once and in its order, and knows what became of it', () => {
	check(seed => {
		const world = worldOf(seed, ['ready', 'finishes', 'fails', 'lost']);
		untilOver(world);
		assert.equal(new Set(world.begun).size, world.begun.length, 'started twice');
		for (const name of names) assert.ok(world.recoveries.has(name), `${name} was not started`);
		// What is ready matters to the batch no more.
		checkStates(world, ({ isOpen, wasReady }) => (wasReady ? ['ready', 'ended'] : isOpen ? ['starting'] : ['ended']));
	});
});

test('a batch whose machines park, or are not ready, is over when a person has helped it', () => {
	check(seed => {
		const world = worldOf(seed, ['ready', 'ready', 'parks', 'late', 'finishes']);
		untilOver(world, step => {
			if (step % 40 === 39) world.order({ type: 'retry', asked });
		});
		assert.equal(new Set(world.begun).size, world.begun.length, 'started twice');
		for (const name of names) assert.ok(world.recoveries.has(name), `${name} was not started`);
		checkStates(world, ({ isOpen, wasReady, late, parked }) => {
			if (!isOpen) return wasReady ? ['ready', 'ended'] : ['ended'];
			return parked ? ['parked'] : late ? ['not_ready'] : ['ready'];
		});
	});
});

test('`retry` after each end of a batch with machines that fail brings all of them back', () => {
	check(seed => {
		const possible = fates(seed, ['ready', 'fails', 'fails']);
		const plan = batchPlan(groups, { after, window: 3, onFailure: 'stop-starting' });
		const world = new BatchWorld(plan, (name, time) => (time > 3 ? 'ready' : possible(name, time)), seed);
		for (let retries = 0; retries < 100; retries += 1) {
			untilOver(world);
			if (Object.values(world.site.states()).every(state => state === 'ready')) return;
			world.order({ type: 'retry', asked });
		}
		assert.fail(JSON.stringify(world.site.states()));
	});
});

test('by `discard-unstarted` no machine that has run is touched, and all that was started comes to something', () => {
	check(seed => {
		const world = worldOf(seed, ['ready', 'ready', 'ready', 'fails'], { onFailure: 'discard-unstarted', window: 4 });
		untilOver(world);
		for (const { hasRun, isOpen, phase } of world.recoveries.values())
			assert.ok(!hasRun || isOpen || phase === 'failed', `one that ran is ${phase}`);
		for (const { hasRun, isOpen } of world.recoveries.values()) assert.ok(hasRun || !isOpen, 'one hangs');
	});
});

test('`cancel` at any moment starts nothing more, and what was started goes on to its end', () => {
	check(seed => {
		const world = worldOf(seed, ['ready', 'finishes', 'fails', 'lost']);
		const moment = seed % 60;
		let begun = Number.POSITIVE_INFINITY;
		untilOver(world, step => {
			if (step !== moment) return;
			world.order({ type: 'cancel', asked });
			begun = world.begun.length;
		});
		assert.ok(world.begun.length <= begun, 'one was started after that');
		checkStates(world, ({ isOpen, wasReady }) => (wasReady ? ['ready', 'ended'] : isOpen ? [] : ['ended']));
	});
});

test('`discard` at any moment leaves open none that it has started or that was named, and touches no other', () => {
	check(seed => {
		const world = worldOf(seed, ['ready', 'finishes', 'fails', 'parks', 'late', 'lost']);
		const moment = seed % 60;
		const found = names.filter(name => new Random(seed * 11 + names.indexOf(name)).chance(0.5));
		untilOver(world, step => {
			if (step >= moment && step % 60 === moment) world.order({ type: 'discard', asked, found });
		});
		if (world.site.state.stop?.why !== 'discarded') return;
		for (const [name, { isOpen, batch, phase }] of world.recoveries) {
			const isMeant = batch === 'site' || found.includes(name);
			assert.ok(isMeant ? !isOpen : phase !== 'discarded', `${name}, started by ${batch}, is ${phase}`);
			const { state } = world.site.item(name);
			assert.ok(!isMeant || ['ended', 'left_out', 'refused'].includes(state), `${name} is ${state}`);
		}
	});
});
