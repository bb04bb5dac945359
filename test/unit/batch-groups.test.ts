import assert from 'node:assert/strict';
import { test } from 'node:test';
import { asked, BatchSite, batchPlan, running } from '../equipment/batch-site.ts';

const tiers = { db: ['d1', 'd2'], app: ['a1'], web: ['w1'] };
const after = { app: ['db'], web: ['app'] };

function site(changes = {}): BatchSite {
	return new BatchSite(batchPlan(tiers, { after, ...changes }));
}

test('a group starts when every machine that it follows was ready', () => {
	const batch = site();
	assert.deepEqual(batch.go(), ['d1', 'd2']);
	batch.ready('d1');
	assert.deepEqual(batch.go(), []);
	assert.equal(batch.item('a1').reason, 'group db is not ready: d2 is starting');
	batch.ready('d2');
	assert.deepEqual(batch.go(), ['a1']);
	batch.ready('a1');
	assert.deepEqual(batch.go(), ['w1']);
	batch.ready('w1');
	batch.go();
	assert.notEqual(batch.state.endedMs, null);
});

test('a machine that was ready holds up nobody, whatever becomes of it', () => {
	const batch = site();
	batch.go();
	batch.ready('d1', 'd2');
	batch.news('d1', 'parked', { code: 'chunk_bad' });
	assert.deepEqual([batch.item('d1').state, batch.go()], ['parked', ['a1']]);
	batch.news('d1', 'unparked');
	assert.equal(batch.item('d1').state, 'ready');
});

test('by `continue` those who follow a failed, refused or discarded machine start', () => {
	const batch = site();
	const [prepare] = batch.tick();
	assert.ok(prepare);
	batch.answer(prepare, { d1: { is: 'refused', code: 'name_conflict', reason: 'taken' } });
	assert.deepEqual(batch.go(), ['d2']);
	batch.failed('d2');
	assert.deepEqual(batch.go(), ['a1']);
	batch.news('a1', 'ended', { phase: 'discarded' });
	assert.deepEqual(batch.go(), ['w1']);
});

test('a machine that is not ready in time holds up those who follow, until it is, or a person says `retry`', () => {
	const batch = site();
	batch.go();
	batch.news('d1', 'not_ready', { code: 'timeout', reason: 'no answer of port 5432' });
	batch.ready('d2');
	assert.deepEqual(batch.go(), []);
	assert.deepEqual(batch.item('a1').reason, 'group db is not ready: d1 is not_ready');
	assert.equal(batch.state.endedMs, null);
	batch.happens({ type: 'retry', asked });
	assert.deepEqual([batch.go(), batch.item('d1').state], [['a1'], 'not_ready']);
	batch.news('a1', 'not_ready');
	assert.deepEqual(batch.go(), []);
	batch.ready('a1');
	assert.deepEqual(batch.go(), ['w1']);
});

test('a parked machine holds up those who follow, until it is ready or over', () => {
	const batch = site();
	batch.go();
	batch.ready('d2');
	batch.news('d1', 'parked', { code: 'host_rebooted' });
	assert.deepEqual(batch.go(), []);
	assert.equal(batch.state.endedMs, null);
	batch.failed('d1');
	assert.deepEqual(batch.go(), ['a1']);
});

test('by `stop-starting` nothing more starts when a machine fails, and what was started goes on', () => {
	const batch = site({ onFailure: 'stop-starting' });
	batch.go();
	batch.failed('d1');
	assert.deepEqual(batch.go(), []);
	assert.deepEqual(batch.states(), { d1: 'ended', d2: 'starting', a1: 'left_out', w1: 'left_out' });
	assert.deepEqual([batch.item('w1').code, batch.item('w1').reason], ['space_short', 'd1 did not come back: no room']);
	assert.equal(batch.state.endedMs, null);
	batch.ready('d2');
	batch.go();
	assert.notEqual(batch.state.endedMs, null);
});

test('by `discard-unstarted` what it started and was not ready is asked to be taken back, what it found is not', () => {
	const names = ['f1', 's1', 's2', 'r1', 'l1'];
	const batch = new BatchSite(
		batchPlan({ all: names, late: ['z1'] }, { onFailure: 'discard-unstarted', after: { late: ['all'] } }),
	);
	const [prepare] = batch.tick();
	assert.ok(prepare);
	const glance = { ...running, phase: 'starting' as const };
	batch.answer(prepare, { f1: { is: 'found', glance } });
	batch.go();
	batch.ready('r1');
	batch.news('l1', 'not_ready');
	batch.failed('s1');
	const effects = batch.tick();
	assert.deepEqual(
		effects.map(effect => (effect.type === 'tell' ? `${effect.what} ${batch.nameOf(effect.item)}` : effect.type)),
		['take-back s2'],
	);
	assert.equal(batch.states()['z1'], 'left_out');
	for (const effect of effects) batch.answer(effect);
	batch.news('s2', 'ended', { phase: 'failed', code: 'interrupted', reason: 'taken back' });
	batch.ready('f1');
	batch.go();
	assert.notEqual(batch.state.endedMs, null);
});

test('`tick` of a start that is under way when another fails takes it back once it is started', () => {
	const batch = new BatchSite(batchPlan({ all: ['one', 'two'] }, { onFailure: 'discard-unstarted' }));
	const [prepare] = batch.tick();
	assert.ok(prepare);
	batch.answer(prepare);
	const [one, two] = batch.tick();
	assert.ok(one && two);
	batch.answer(one);
	batch.failed('one');
	assert.deepEqual(batch.tick(), []);
	batch.answer(two);
	assert.deepEqual(batch.tick(), [{ type: 'tell', what: 'take-back', item: 1 }]);
});
