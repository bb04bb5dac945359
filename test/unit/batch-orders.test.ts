import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchEffect } from '../../workflows/batch/events.ts';
import { countDiscarded, countRetried } from '../../workflows/batch/orders.ts';
import { viewOf } from '../../workflows/batch/view.ts';
import { asked, BatchSite, batchPlan, own, recoveryIdOf, running } from '../equipment/batch-site.ts';

const all = ['ready', 'parked', 'late', 'failed', 'refused', 'gone', 'moving'];

/** One of each, and one that waits for them. */
function mixed(): BatchSite {
	const site = new BatchSite(batchPlan({ all, next: ['next'] }, { after: { next: ['all'] } }));
	const [prepare] = site.tick();
	assert.ok(prepare);
	site.answer(prepare, { refused: { is: 'refused', code: 'name_conflict', reason: 'taken' } });
	site.go();
	site.ready('ready');
	site.news('parked', 'parked', { code: 'chunk_bad', reason: 'a chunk' });
	site.news('late', 'not_ready', { code: 'timeout' });
	site.failed('failed');
	site.news('gone', 'ended', { phase: 'discarded' });
	site.go();
	return site;
}

function said(site: BatchSite, effects: readonly BatchEffect[]): unknown[] {
	return effects.map(effect => {
		if (effect.type === 'order') return [effect.order, effect.asked, effect.items.map(item => site.nameOf(item))];
		return 'items' in effect ? [effect.type, effect.items.map(item => site.nameOf(item))] : [effect.type];
	});
}

test('`retry` begins failed and refused items anew, tells parked ones, and leaves all others alone', () => {
	const site = mixed();
	const before = site.states();
	assert.equal(countRetried(site.layout, site.state), 4, 'failed, refused, parked and late');
	site.happens({ type: 'retry', asked });
	const effects = site.tick();
	assert.deepEqual(said(site, effects), [
		['prepare', ['failed', 'refused']],
		['retry', asked, ['parked']],
	]);
	for (const effect of effects) site.answer(effect);
	assert.deepEqual(site.go(), ['failed', 'refused']);
	const now = { ...before, failed: 'starting', refused: 'starting', parked: 'starting' };
	assert.deepEqual(site.states(), now, 'it was looked whether the parked one goes on');
});

test('`retry` after a stop lets the rest start', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two'] }, { window: 1, onFailure: 'stop-starting' }));
	site.go();
	site.failed('one');
	site.go();
	assert.deepEqual([site.states(), countRetried(site.layout, site.state)], [{ one: 'ended', two: 'left_out' }, 2]);
	site.happens({ type: 'retry', asked });
	assert.deepEqual(site.go(), ['one']);
	site.ready('one');
	site.news('one', 'ready', { recoveryId: recoveryIdOf('one', 2) });
	assert.deepEqual(site.go(), ['two']);
});

test('`retry` is not stopped by the end of what was being taken back when it came, nor followed by another take-back', () => {
	const taken = () => {
		const site = new BatchSite(batchPlan({ all: ['one', 'two'] }, { onFailure: 'discard-unstarted' }));
		site.go();
		site.failed('one');
		return site;
	};
	const site = taken();
	for (const effect of site.tick()) site.answer(effect);
	site.continueAsNew();
	site.happens({ type: 'retry', asked });
	assert.deepEqual(site.go(), ['one']);
	site.failed('two');
	assert.deepEqual([site.state.stop, site.states()], [null, { one: 'starting', two: 'ended' }]);
	const unsaid = taken();
	unsaid.happens({ type: 'retry', asked });
	assert.ok(!unsaid.tick().some(effect => effect.type === 'tell'));
	unsaid.failed('two');
	assert.equal(unsaid.state.stop?.why, 'failed', 'that one has failed by itself');
});

test('`retry` that a recovery refuses is told and looked into; one that does not come through is given again', () => {
	const site = mixed();
	site.happens({ type: 'retry', asked });
	const order = site.tick().find(effect => effect.type === 'order');
	assert.ok(order);
	const answer = (code: 'worker_missing' | 'phase_wrong') =>
		site.happens({
			type: 'ordered',
			order: 'retry',
			items: order.items,
			answers: [{ name: 'parked', refused: { code, reason: 'not now' } }],
		});
	answer('worker_missing');
	assert.ok(!site.tick(29_999).some(effect => effect.type === 'order'));
	assert.deepEqual(site.tick(1), [order]);
	answer('phase_wrong');
	assert.deepEqual([site.item('parked').code, site.item('parked').reason], ['phase_wrong', 'not now']);
	assert.deepEqual(said(site, site.tick()), [['look', ['parked']]]);
});

test('`cancel` starts nothing more, leaves what was started, and ends when that is settled', () => {
	const site = mixed();
	site.happens({ type: 'cancel', asked });
	assert.deepEqual(site.go(), []);
	assert.deepEqual([site.item('next').state, site.item('next').reason], ['left_out', 'cancelled by ann: because']);
	assert.deepEqual([site.item('moving').state, viewOf(site.layout, site.state).phase], ['starting', 'cancelled']);
	site.ready('moving');
	site.go();
	assert.equal(viewOf(site.layout, site.state).phase, 'over');
});

test('`cancel` while it is looked for an item leaves it out', () => {
	const site = new BatchSite(batchPlan({ all: ['one'] }));
	const [prepare] = site.tick();
	assert.ok(prepare);
	site.happens({ type: 'cancel', asked });
	assert.deepEqual(site.tick(), []);
	site.answer(prepare);
	assert.deepEqual([site.go(), site.states()], [[], { one: 'left_out' }]);
});

test('`discard` tells every recovery that is open, starts nothing more, and ends when they are over', () => {
	const site = mixed();
	site.happens({ type: 'discard', asked });
	assert.equal(countDiscarded(site.state), 4);
	assert.deepEqual(said(site, site.tick()), [['discard', asked, ['ready', 'parked', 'late', 'moving']]]);
	site.happens({
		type: 'ordered',
		order: 'discard',
		items: [0, 1, 2, 6],
		answers: ['ready', 'parked', 'late', 'moving'].map(name => ({ name, refused: null })),
	});
	assert.deepEqual(site.go(), []);
	for (const name of ['ready', 'parked', 'late']) site.news(name, 'ended', { phase: 'discarded' });
	site.news('moving', 'unparked');
	site.go();
	assert.equal(site.state.endedMs, null);
	site.news('moving', 'parked', { phase: 'discarding', code: 'supervisor_unreachable' });
	site.go();
	assert.notEqual(site.state.endedMs, null, 'that one waits for a person');
	assert.equal(site.item('next').state, 'left_out');
});

test('`discard` reaches what is being started, and what is found only then', () => {
	const site = new BatchSite(batchPlan({ all: ['one'], next: ['two'] }));
	const [prepare] = site.tick();
	assert.ok(prepare?.type === 'prepare');
	site.answer({ ...prepare, items: [0] });
	site.happens({ type: 'discard', asked });
	site.answer({ ...prepare, items: [1] }, { two: { is: 'found', glance: own } });
	assert.deepEqual([site.item('one').state, site.item('two').state], ['waiting', 'starting']);
	const [tell] = site.tick();
	assert.ok(tell);
	site.answer(tell);
	assert.deepEqual(said(site, site.tick()), [['discard', asked, ['two']]]);
	assert.equal(site.item('one').state, 'left_out');

	const other = new BatchSite(batchPlan({ all: ['one'] }));
	const [first] = other.tick();
	assert.ok(first);
	other.answer(first);
	const [start] = other.tick();
	assert.equal(start?.type, 'start');
	other.happens({ type: 'discard', asked });
	assert.deepEqual(other.tick(), []);
	other.answer(start ?? first);
	assert.deepEqual(said(other, other.tick()), [['discard', asked, ['one']]]);
});

test('a batch that is started again to retry tells what it finds parked, and starts the rest', () => {
	const site = new BatchSite(batchPlan({ all: ['p', 'l', 'r', 'n'], next: ['x'] }, { after: { next: ['all'] } }));
	site.happens({ type: 'retry', asked });
	const [prepare] = site.tick();
	assert.ok(prepare);
	site.answer(prepare, {
		p: { is: 'found', glance: { ...running, parked: true, code: 'chunk_bad', reason: 'a chunk' } },
		l: { is: 'found', glance: { ...running, readiness: 'not_ready' } },
		r: { is: 'found', glance: { ...running, readiness: 'ready' } },
	});
	assert.deepEqual(said(site, site.tick()), [['start'], ['tell'], ['tell'], ['tell']]);
	for (const index of [0, 1, 2]) site.happens({ type: 'told', what: 'tell', items: [index], arrived: true });
	site.happens({ type: 'started', items: [3] });
	assert.deepEqual(said(site, site.tick()), [['retry', asked, ['p']]]);
	site.happens({ type: 'ordered', order: 'retry', items: [0], answers: [{ name: 'p', refused: null }] });
	site.ready('p', 'n');
	assert.deepEqual(site.go(), ['x'], '`l` holds up nobody');
});

const unknown = { phase: 'failed', code: 'place_unknown', reason: 'on kvm1 or kvm2' } as const;

/** Names of those that are looked for, and of them those that are begun although they may run twice. */
function lookedFor(site: BatchSite, effects: readonly BatchEffect[]): [string[], string[]] {
	const items = effects.flatMap(effect => (effect.type === 'prepare' ? effect.items : []));
	const named = items.filter(index => site.state.items[index]?.again === true);
	return [items.map(index => site.nameOf(index)), named.map(index => site.nameOf(index))];
}

test('`retry` begins what may have its machine on a host anew only when it is named, and says nothing of it a second time', () => {
	const site = new BatchSite(batchPlan({ all: ['lost', 'short'] }));
	site.go();
	site.news('lost', 'ended', unknown);
	site.failed('short');
	assert.equal(countRetried(site.layout, site.state), 1);
	site.happens({ type: 'retry', asked });
	assert.deepEqual(lookedFor(site, site.tick()), [['short'], []]);
	assert.deepEqual([site.item('lost').state, site.item('lost').code], ['ended', 'place_unknown']);

	assert.equal(countRetried(site.layout, site.state, ['lost']), 1);
	site.happens({ type: 'retry', asked, again: ['lost'] });
	site.continueAsNew();
	const effects = site.tick();
	assert.deepEqual(lookedFor(site, effects), [['lost', 'short'], ['lost']]);
	for (const effect of effects) site.answer(effect);
	assert.deepEqual(site.go(), ['lost', 'short']);
	assert.ok(
		site.state.items.every(({ again }) => !again),
		'once it is started it was said',
	);
});

test('a batch that is started again to retry begins what was refused as it may run twice by its name alone', () => {
	const refused = { is: 'refused', ...unknown } as const;
	const site = new BatchSite(batchPlan({ all: ['lost'] }));
	site.happens({ type: 'retry', asked });
	assert.deepEqual(site.go({ lost: refused }), []);
	assert.deepEqual([site.item('lost').state, countRetried(site.layout, site.state)], ['refused', 0]);
	const anew = new BatchSite(batchPlan({ all: ['lost'] }));
	anew.happens({ type: 'retry', asked, again: ['lost'] });
	const effects = anew.tick();
	assert.deepEqual(lookedFor(anew, effects), [['lost'], ['lost']]);
	for (const effect of effects) anew.answer(effect);
	assert.deepEqual(anew.go(), ['lost']);
});

test('a batch that is started again to discard discards what it has started before, and starts nothing', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two', 'three'] }));
	site.happens({ type: 'discard', asked });
	const [prepare] = site.tick();
	assert.ok(prepare);
	const finished = { ...own, phase: 'finished' as const, closed: 'ended' as const };
	site.answer(prepare, {
		one: { is: 'found', glance: own },
		two: { is: 'found', glance: finished },
	});
	assert.deepEqual(site.go(), []);
	assert.deepEqual(site.states(), { one: 'starting', two: 'ended', three: 'left_out' });
	site.news('one', 'ended', { phase: 'discarded' });
	site.go();
	assert.notEqual(site.state.endedMs, null);
});

test('`retry` of one that is being told something waits for that', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two'] }, { onFailure: 'discard-unstarted' }));
	site.go();
	site.failed('one');
	const [tell] = site.tick();
	assert.equal(tell?.type, 'tell');
	site.failed('two');
	site.happens({ type: 'retry', asked });
	assert.deepEqual(said(site, site.tick()), [['prepare', ['one']]]);
	site.happens({ type: 'told', what: 'take-back', items: [1], arrived: true });
	assert.deepEqual(said(site, site.tick()), [['prepare', ['two']]]);
});

test('a batch is not over before it has seen what became of its retry', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two'] }));
	site.go();
	site.news('one', 'parked', { code: 'chunk_bad' });
	site.happens({ type: 'retry', asked });
	for (const effect of site.tick()) site.answer(effect);
	site.ready('two');
	const [look] = site.tick();
	assert.equal(look?.type, 'look');
	site.happens({ type: 'no-answer', items: [0] });
	assert.deepEqual([site.tick(), site.state.endedMs], [[], null]);
	assert.deepEqual(said(site, site.tick(30_000)), [['look', ['one']]]);
});

test('`discard` stays what it is when `cancel` or `retry` comes after it', () => {
	const site = mixed();
	site.happens({ type: 'discard', asked });
	site.happens({ type: 'cancel', asked: { by: 'bob' } });
	assert.equal(site.state.stop?.why, 'discarded');
	site.happens({ type: 'retry', asked });
	const orders = site.tick().filter(effect => effect.type === 'order');
	assert.deepEqual(said(site, orders), [['discard', asked, ['ready', 'parked', 'late', 'moving']]]);
	for (const effect of orders) site.answer(effect);
	assert.ok(!site.tick().some(effect => effect.type === 'order'), 'nothing that is discarded is told to go on');
});

test('`discard` of what was found first says whom to tell, so that its end is heard', () => {
	const site = new BatchSite(batchPlan({ all: ['one'] }));
	const [prepare] = site.tick();
	assert.ok(prepare);
	site.answer(prepare, { one: { is: 'found', glance: own } });
	site.happens({ type: 'discard', asked });
	const [tell] = site.tick();
	assert.ok(tell);
	assert.deepEqual(said(site, [tell]), [['tell']]);
	site.answer(tell);
	assert.deepEqual(said(site, site.tick()), [['discard', asked, ['one']]]);
});

test('`discard` reaches what is found by a second look before its start', () => {
	const site = new BatchSite(batchPlan({ all: ['one', 'two'] }, { window: 1 }));
	site.go();
	site.nowMs += 60_001;
	site.ready('one');
	const [prepare] = site.tick();
	assert.ok(prepare?.type === 'prepare');
	site.happens({ type: 'discard', asked });
	site.tick();
	site.answer(prepare, { two: { is: 'found', glance: own } });
	site.go();
	assert.deepEqual([site.item('two').state, site.state.items[1]?.leaving], ['starting', true]);
});

/** `mine` was started by the batch, the others by somebody else. */
function withFound(): BatchSite {
	const site = new BatchSite(batchPlan({ all: ['mine', 'one', 'two'] }));
	site.go({ one: { is: 'found', glance: running }, two: { is: 'found', glance: { ...running, batch: 'other' } } });
	return site;
}

test('`discard` leaves what the batch only found, and the batch is over without it', () => {
	const site = withFound();
	site.happens({ type: 'discard', asked });
	assert.equal(countDiscarded(site.state), 1);
	assert.deepEqual(said(site, site.tick()), [['discard', asked, ['mine']]]);
	site.happens({ type: 'ordered', order: 'discard', items: [0], answers: [{ name: 'mine', refused: null }] });
	site.news('mine', 'ended', { phase: 'discarded' });
	assert.deepEqual(site.tick(), []);
	assert.deepEqual(
		[site.states(), site.state.endedMs !== null],
		[{ mine: 'ended', one: 'starting', two: 'starting' }, true],
	);
	assert.deepEqual([site.item('mine').own, site.item('one').own, site.item('two').own], [true, false, false]);
});

test('`discard` takes along what was found when it is named, also when it is found only then', () => {
	const site = withFound();
	site.continueAsNew();
	site.happens({ type: 'discard', asked, found: ['two'] });
	assert.deepEqual(said(site, site.tick()), [['discard', asked, ['mine', 'two']]]);

	const again = new BatchSite(batchPlan({ all: ['one', 'two'] }));
	again.happens({ type: 'discard', asked, found: ['two'] });
	again.continueAsNew();
	const orders: unknown[] = [];
	for (let effects = again.tick(); effects.length > 0; effects = again.tick()) {
		orders.push(
			...said(
				again,
				effects.filter(effect => effect.type === 'order'),
			),
		);
		const glance = running;
		for (const effect of effects) again.answer(effect, { one: { is: 'found', glance }, two: { is: 'found', glance } });
	}
	assert.deepEqual(orders, [['discard', asked, ['two']]]);
});

test('`discard` is not for a recovery that somebody else has started since under the same name', () => {
	const site = new BatchSite(batchPlan({ all: ['one'] }));
	site.go();
	site.ready('one');
	const since = { ...running, recoveryId: recoveryIdOf('one', 2) };
	site.happens({ type: 'told', what: 'tell', items: [0], arrived: false });
	const [look] = site.tick();
	assert.ok(look?.type === 'look');
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance: since }], askedMs: look.askedMs });
	site.happens({ type: 'discard', asked });
	site.go();
	assert.deepEqual([site.item('one').own, countDiscarded(site.state), site.state.endedMs !== null], [false, 0, true]);
});
