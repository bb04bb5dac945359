import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchLimits } from '../../model/batch.ts';
import { BatchSite, batchPlan, recoveryIdOf, running } from '../equipment/batch-site.ts';

const names = (count: number) => Array.from({ length: count }, (_, number) => `m${number}`);

test('`tick` looks for what exists of all items, a hundred at a time, before it starts any', () => {
	const site = new BatchSite(batchPlan({ all: names(250) }, { window: 3 }));
	for (const count of [100, 100, 50]) {
		const [effect, ...more] = site.tick();
		assert.ok(effect?.type === 'prepare' && more.length === 0);
		assert.equal(effect.items.length, count);
		assert.deepEqual(site.tick(), [], 'one question at a time');
		site.answer(effect);
	}
	assert.deepEqual(
		site.tick().map(effect => effect.type),
		['start', 'start', 'start'],
	);
});

test('`tick` starts no more than the window holds, and goes on when a machine is ready, late, parked or over', () => {
	const site = new BatchSite(batchPlan({ all: names(7) }, { window: 2 }));
	assert.deepEqual(site.go(), ['m0', 'm1']);
	site.ready('m0');
	assert.deepEqual(site.go(), ['m2']);
	site.news('m1', 'not_ready');
	assert.deepEqual(site.go(), ['m3']);
	site.news('m2', 'parked', { code: 'chunk_bad', reason: 'a chunk' });
	assert.deepEqual(site.go(), ['m4']);
	site.failed('m3');
	assert.deepEqual(site.go(), ['m5']);
	site.news('m2', 'unparked');
	assert.deepEqual([site.item('m2').state, site.go()], ['starting', []], 'it is on its way again');
	site.ready('m4');
	assert.deepEqual(site.go(), [], 'm2 and m5');
	site.news('m2', 'ended', { phase: 'discarded' });
	assert.deepEqual(site.go(), ['m6']);
});

test('`tick` starts the most urgent first: by priority, deadline, then as in the plan', () => {
	const plan = batchPlan({ all: names(5) });
	const differs = [{}, { priority: 4 }, { deadline: '2026-11-20T05:00:00Z' }, { priority: 1 }, {}];
	const items = plan.items.map((item, index) => ({ ...item, differs: { ...item.differs, ...differs[index] } }));
	assert.deepEqual(new BatchSite({ ...plan, items }).go(), ['m3', 'm2', 'm0', 'm4', 'm1']);
});

test('`tick` starts what it has looked for within a minute, and looks again later', () => {
	const site = new BatchSite(batchPlan({ all: names(4) }, { window: 1 }));
	assert.deepEqual(site.go(), ['m0']);
	site.nowMs += 60_000;
	site.ready('m0');
	assert.deepEqual(site.go(), ['m1']);
	site.nowMs += 1;
	site.ready('m1');
	const [effect] = site.tick();
	assert.ok(effect);
	assert.deepEqual(effect, { type: 'prepare', items: [2] });
	assert.deepEqual(site.tick(), [], 'it has its place in the window');
	site.answer(effect, { m2: { is: 'refused', code: 'name_conflict', reason: 'taken' } });
	assert.deepEqual(site.go(), ['m3']);
	site.ready('m3');
	assert.deepEqual([site.go(), site.state.endedMs], [[], site.nowMs]);
});

test('`tick` watches what exists: it is told whom to tell, takes its place, and is never started', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two', 'three', 'four'] }, { window: 2 }));
	const glance = { ...running, recoveryId: recoveryIdOf('one') };
	const finished = { ...glance, phase: 'finished' as const, closed: 'ended' as const };
	const [effect] = site.tick();
	assert.ok(effect);
	site.answer(effect, {
		one: { is: 'found', glance },
		two: { is: 'found', glance: { ...finished, recoveryId: recoveryIdOf('two') } },
	});
	const next = site.tick();
	assert.deepEqual(
		next.map(each => (each.type === 'tell' || each.type === 'start' ? [each.type, site.nameOf(each.item)] : each)),
		[
			['start', 'three'],
			['tell', 'one'],
		],
	);
	assert.deepEqual(site.states(), { one: 'starting', two: 'ended', three: 'starting', four: 'waiting' });
	assert.deepEqual([site.item('one').found, site.item('two').phase], [true, 'finished']);
	site.ready('one');
	assert.deepEqual(site.go(), ['four']);
});

test('`tick` looks anew for one that somebody else was faster to start, and asks again when nobody answers', () => {
	const site = new BatchSite(batchPlan({ all: ['one'] }));
	const [first] = site.tick();
	assert.ok(first?.type === 'prepare');
	site.happens({ type: 'no-answer', items: first.items });
	assert.deepEqual(site.tick(29_999), []);
	const [again] = site.tick(1);
	assert.deepEqual(again, first);
	site.answer(first);
	const [start] = site.tick();
	assert.deepEqual(start, { type: 'start', item: 0 });
	site.happens({ type: 'taken', items: [0] });
	assert.deepEqual(site.tick(), [first]);
	site.answer(first, { one: { is: 'found', glance: { ...running, readiness: 'ready' } } });
	assert.deepEqual([site.item('one').state, site.item('one').found], ['ready', true]);
});

test('`tick` starts no more at once than a message to the server bears, and the rest with what comes back', () => {
	const site = new BatchSite(batchPlan({ all: names(80) }, { window: 80 }));
	const [look] = site.tick();
	assert.ok(look);
	site.answer(look);
	const first = site.tick();
	assert.deepEqual([first.length, site.tick().length], [batchLimits.started, 80 - batchLimits.started]);
});

test('`tick` of a batch of the largest size asks within its limits', () => {
	const site = new BatchSite(batchPlan({ all: names(batchLimits.items) }, { window: batchLimits.items }));
	assert.equal(site.go().length, batchLimits.items);
	site.happens({ type: 'discard', asked: { by: 'ann' } });
	const orders = site.tick();
	assert.ok(orders.every(each => each.type === 'order' && each.items.length <= batchLimits.ordered));
	assert.equal(orders.length, batchLimits.items / batchLimits.ordered);
});
