import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked, BatchSite, batchPlan, recoveryIdOf, running } from '../equipment/batch-site.ts';

function started(): BatchSite {
	const site = new BatchSite(batchPlan({ all: ['one'], next: ['two'] }, { after: { next: ['all'] } }));
	site.go();
	return site;
}

test('news that comes late or twice changes nothing, but ready is ready and over is over', () => {
	const site = started();
	site.news('one', 'parked', { number: 5, code: 'chunk_bad', reason: 'a chunk' });
	site.news('one', 'unparked', { number: 4 });
	site.news('one', 'ready', { number: 3 });
	site.news('one', 'parked', { number: 5, code: 'chunk_bad', reason: 'a chunk' });
	assert.deepEqual([site.item('one').state, site.item('one').code], ['parked', 'chunk_bad']);
	assert.equal(site.item('one').readyMs, site.nowMs);
	site.news('one', 'unparked', { number: 6 });
	site.news('one', 'not_ready', { number: 7 });
	assert.equal(site.item('one').state, 'ready');
	site.news('one', 'ended', { number: 2, phase: 'finished' });
	site.news('one', 'parked', { number: 8, code: 'chunk_bad' });
	assert.deepEqual([site.item('one').state, site.item('one').phase], ['ended', 'finished']);
});

test('news of a recovery that it had before is old, also when the next one has not told anything', () => {
	const site = started();
	site.failed('one');
	site.happens({ type: 'retry', asked: { by: 'ann' } });
	assert.deepEqual(site.go(), ['one']);
	site.ready('one');
	assert.equal(site.item('one').state, 'starting');
	site.news('one', 'ready', { recoveryId: recoveryIdOf('one', 2), number: 1 });
	assert.deepEqual([site.item('one').state, site.item('one').recoveryId], ['ready', recoveryIdOf('one', 2)]);
	site.failed('one');
	assert.equal(site.item('one').state, 'ready');
});

test('a look that saw the recovery which it had before says nothing of the next', () => {
	const site = started();
	site.failed('one');
	site.happens({ type: 'retry', asked: { by: 'ann' } });
	site.go();
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	const glance = { ...running, phase: 'failed' as const, closed: 'ended' as const, recoveryId: recoveryIdOf('one') };
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance }], askedMs: look.askedMs });
	assert.equal(site.item('one').state, 'starting');
});

test('news of what it does not know, or has not started, changes nothing', () => {
	const site = started();
	const before = site.state;
	site.news('three', 'ready');
	site.news('two', 'ready');
	assert.equal(site.state, before);
});

test('silent items are looked at every ten minutes, those that are ready or over are not', () => {
	const site = new BatchSite(batchPlan({ all: ['r', 'e', 's', 'p'], next: ['w'] }, { after: { next: ['all'] } }));
	site.go();
	site.ready('r');
	site.failed('e');
	site.news('p', 'parked', { code: 'chunk_bad' });
	assert.deepEqual(site.tick(599_999), []);
	assert.deepEqual(
		site.tick(1).map(effect => (effect.type === 'look' ? effect.items.map(item => site.nameOf(item)) : effect.type)),
		[['s', 'p']],
	);
	site.happens({ type: 'no-answer', items: [2, 3] });
	site.news('s', 'parked', { code: 'chunk_bad' });
	assert.deepEqual(
		site.tick(599_999).map(effect => effect.type),
		[],
	);
	const [look] = site.tick(1);
	assert.ok(look?.type === 'look');
	const answers = [
		{ name: 's', glance: { ...running, recoveryId: recoveryIdOf('s'), readiness: 'ready' as const } },
		{ name: 'p', glance: { ...running, phase: 'starting' as const, closed: 'force' as const } },
	];
	site.happens({ type: 'looked', items: look.items, answers, askedMs: look.askedMs });
	assert.deepEqual(
		[site.item('s').state, site.item('p').state, site.item('p').code],
		['ready', 'ended', 'interrupted'],
	);
	assert.deepEqual(site.go(), ['w'], 'and `s`, which has not told it, is told whom to tell');
});

test('what was heard since a look was begun is newer than what it saw; an end is not', () => {
	const site = started();
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	site.nowMs += 5;
	site.news('one', 'parked', { code: 'chunk_bad', reason: 'a chunk' });
	const seen = { ...running, recoveryId: recoveryIdOf('one') };
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance: seen }], askedMs: look.askedMs });
	assert.deepEqual([site.item('one').state, site.item('one').reason], ['parked', 'a chunk']);
	const ended = { ...seen, closed: 'ended' as const, phase: 'discarded' as const };
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance: ended }], askedMs: look.askedMs });
	assert.deepEqual([site.item('one').state, site.item('one').phase], ['ended', 'discarded']);
});

test('a look that saw less than was told meanwhile is repeated, since nobody knows which of both is newer', () => {
	const site = started();
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	site.nowMs += 5;
	site.news('one', 'parked', { code: 'chunk_bad' });
	site.answer(look);
	assert.equal(site.item('one').state, 'parked');
	const [again] = site.tick(5);
	assert.deepEqual(again, { ...look, askedMs: site.nowMs });
	site.answer(again ?? look);
	assert.deepEqual([site.item('one').state, site.tick()], ['starting', []]);
});

test('a look that finds another recovery of the same request watches that one from then on', () => {
	const site = started();
	site.news('one', 'not_ready');
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	const glance = { ...running, recoveryId: recoveryIdOf('one', 2) };
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance }], askedMs: look.askedMs });
	assert.deepEqual(site.tick(), [{ type: 'tell', what: 'tell', item: 0 }]);
	site.failed('one');
	assert.deepEqual([site.item('one').state, site.item('one').found], ['starting', true]);
	site.news('one', 'ready', { recoveryId: glance.recoveryId });
	assert.equal(site.item('one').state, 'ready');
});

test('a discard that was ordered before is not for another recovery that a look finds', () => {
	const site = started();
	site.news('one', 'not_ready');
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	site.happens({ type: 'discard', asked });
	const glance = { ...running, recoveryId: recoveryIdOf('one', 2) };
	site.happens({ type: 'looked', items: [0], answers: [{ name: 'one', glance }], askedMs: look.askedMs });
	const [tell, ...more] = site.tick();
	assert.ok(tell?.type === 'tell' && tell.what === 'tell' && more.length === 0);
	site.answer(tell);
	assert.deepEqual([site.tick(), site.item('one').state], [[], 'starting']);
});

test('a recovery that Temporal does not know any more is over', () => {
	const site = started();
	const [look] = site.tick(600_000);
	assert.ok(look?.type === 'look');
	const answers = [{ name: 'one', glance: null }];
	site.happens({ type: 'looked', items: look.items, answers, askedMs: look.askedMs });
	assert.deepEqual([site.item('one').state, site.item('one').code], ['ended', 'recovery_unknown']);
});

test('what was parked when it was found goes on with the first news that says so, whatever that is about', () => {
	const site = new BatchSite(batchPlan({ all: ['one'] }));
	const glance = { ...running, recoveryId: recoveryIdOf('one'), parked: true, code: 'chunk_bad' as const };
	site.go({ one: { is: 'found', glance } });
	assert.equal(site.item('one').state, 'parked');
	site.news('one', 'ready', { parked: true });
	assert.equal(site.item('one').state, 'parked');
	site.ready('one');
	assert.equal(site.item('one').state, 'ready');
});
