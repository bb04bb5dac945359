import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asked, BatchSite, batchPlan, own, recoveryIdOf, running } from '../equipment/batch-site.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { namesIn, SandboxBatch } from './batch-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const two = batchPlan({ all: ['one', 'two'] });
const ordered = batchPlan({ db: ['one'], web: ['two'] }, { after: { web: ['db'] } });

test('`batch` starts recoveries as a person does, that outlive it, and ends with how each fared', async () => {
	const batch = await SandboxBatch.start(sandbox, ordered);
	assert.deepEqual(batch.run.pending('prepareItems').input, {
		items: ['one', 'two'].map(name => ({ name, requestHash: 'c'.repeat(64) })),
		again: false,
	});
	await batch.settle();
	const [child, ...others] = batch.run.outside.children;
	assert.ok(child && others.length === 0);
	const request = makeRequest({ name: 'one', machine: 'one', machineName: 'one' });
	const { workflowId, type, input, memo, attributes, onClose } = child;
	assert.deepEqual([workflowId, type, onClose], ['recovery/one', 'recovery', 2], 'PARENT_CLOSE_POLICY_ABANDON');
	assert.deepEqual(input, { request, requestHash: 'c'.repeat(64), broker: true, batch: 'site' });
	assert.deepEqual(memo, { request, requestHash: 'c'.repeat(64) });
	assert.deepEqual(attributes, {
		RouseMachine: 'one',
		RouseHost: 'local',
		RousePhase: 'planned',
		RouseOwner: request.requestedBy,
		RouseBatch: 'site',
	});
	assert.deepEqual(batch.run.attributes, { RousePhase: 'running' });
	await batch.news('ready', ['one']);
	await batch.settle();
	await batch.news('ended', ['two'], { phase: 'failed', code: 'space_short', reason: 'no room' });
	assert.equal(batch.run.closed, 'completed');
	assert.deepEqual(batch.run.attributes, { RousePhase: 'over' });
	const { items, phase } = await batch.view();
	assert.deepEqual(batch.run.result, await batch.view());
	assert.deepEqual(
		[phase, ...items.map(item => [item.state, item.recoveryId, item.phase, item.reason])],
		['over', ['ready', recoveryIdOf('one'), 'running', null], ['ended', recoveryIdOf('two'), 'failed', 'no room']],
	);
});

test('`batch` watches a recovery that somebody else has started meanwhile', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one'] }));
	await batch.prepared(batch.run.pending('prepareItems'));
	const [child] = batch.waiting();
	assert.ok(child);
	await batch.begin(child, false);
	await batch.settle({ one: { name: 'one', is: 'found', glance: running } });
	const [told] = batch.run.outside.sent;
	assert.ok(told);
	assert.deepEqual([told.workflowId, told.signal, told.message], ['recovery/one', 'tellBatch', { batch: 'site' }]);
	await batch.run.arrive(told);
	await batch.news('ready', ['one']);
	assert.equal(batch.run.closed, 'completed');
});

test('`batch` that meets nobody to tell looks at the recovery, and again when it gets no answer', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one'] }));
	await batch.settle({ one: { name: 'one', is: 'found', glance: running } });
	const [told] = batch.run.outside.sent;
	assert.ok(told);
	await batch.run.arrive(told, false);
	assert.deepEqual(namesIn(batch.run.pending('lookAtItems')), ['one']);
	await batch.run.fail('lookAtItems', 'temporal_unreachable');
	await batch.run.passTime(30_000);
	const glance = { ...running, phase: 'finished', closed: 'ended', recoveryId: recoveryIdOf('one') };
	await batch.run.complete('lookAtItems', [{ name: 'one', glance }]);
	assert.deepEqual([batch.run.closed, await batch.states()], ['completed', { one: 'ended' }]);
});

test('`batch` looks at silent items each ten minutes, by one timer', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one', 'two', 'three'] }));
	await batch.settle();
	const timers = [...batch.run.outside.timers];
	assert.equal(timers.length, 1);
	await batch.news('ready', ['one']);
	await batch.news('parked', ['two'], { code: 'chunk_bad', reason: 'a chunk' });
	assert.deepEqual([...batch.run.outside.timers], timers);
	await batch.run.passTime(600_000);
	assert.deepEqual(namesIn(batch.run.pending('lookAtItems')), ['two', 'three']);
	const glance = { ...running, readiness: 'ready' };
	await batch.run.complete('lookAtItems', [
		{ name: 'two', glance: { ...running, parked: true, recoveryId: recoveryIdOf('two') } },
		{ name: 'three', glance: { ...glance, recoveryId: recoveryIdOf('three') } },
	]);
	assert.deepEqual(await batch.states(), { one: 'ready', two: 'parked', three: 'ready' });
});

test('`cancel` of a batch, and its cancellation in Temporal, start nothing more and leave what was started', async () => {
	for (const cancel of ['update', 'temporal'] as const) {
		const batch = await SandboxBatch.start(sandbox, ordered);
		await batch.settle();
		if (cancel === 'temporal') await batch.run.cancel();
		else assert.deepEqual(await batch.run.update('cancel', asked), { accepted: true, result: undefined });
		assert.deepEqual(await batch.states(), { one: 'starting', two: 'left_out' });
		assert.deepEqual([batch.run.closed, batch.run.attributes], [undefined, { RousePhase: 'cancelled' }]);
		await batch.news('ready', ['one']);
		assert.equal(batch.run.closed, 'completed');
		assert.deepEqual([batch.started(), batch.run.outside.sent], [['recovery/one'], []]);
	}
});

test('`retry` of a batch says how many, and gives the order to parked recoveries by an activity', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one', 'two', 'three'] }));
	await batch.settle();
	await batch.news('ended', ['one'], { phase: 'failed', code: 'space_short' });
	await batch.news('parked', ['two'], { code: 'chunk_bad' });
	assert.deepEqual(await batch.run.update('retry', asked), { accepted: true, result: 2 });
	assert.deepEqual(batch.run.pending('orderItems').input, {
		order: 'retry',
		batch: 'site',
		...asked,
		items: [{ name: 'two', requestHash: 'c'.repeat(64), recoveryId: recoveryIdOf('two'), own: true }],
	});
	await batch.settle();
	assert.deepEqual(batch.started(), ['recovery/one', 'recovery/two', 'recovery/three', 'recovery/one']);
	await batch.run.complete('orderItems', [{ name: 'two', refused: null }]);
	await batch.news('unparked', ['two']);
	assert.deepEqual(await batch.states(), { one: 'starting', two: 'starting', three: 'starting' });
});

test('`discard` of a batch needs its name, and ends it when all are over', async () => {
	const batch = await SandboxBatch.start(sandbox, two);
	await batch.settle();
	await batch.news('ready', ['one']);
	const wrong = await batch.run.update('discard', { ...asked, confirm: 'sites' });
	assert.deepEqual([wrong.accepted, wrong.failure?.code], [false, 'usage']);
	const stranger = await batch.run.update('discard', { ...asked, confirm: 'site', found: ['one', 'three'] });
	assert.deepEqual([stranger.accepted, stranger.failure?.code], [false, 'usage']);
	assert.deepEqual(batch.run.pendingTypes(), []);
	assert.deepEqual(await batch.run.update('discard', { ...asked, confirm: 'site' }), { accepted: true, result: 2 });
	assert.deepEqual(batch.run.pending('orderItems').input, {
		order: 'discard',
		batch: 'site',
		...asked,
		items: [
			{ name: 'one', requestHash: 'c'.repeat(64), recoveryId: recoveryIdOf('one'), own: true },
			{ name: 'two', requestHash: 'c'.repeat(64), recoveryId: null, own: true },
		],
	});
	await batch.run.complete(
		'orderItems',
		['one', 'two'].map(name => ({ name, refused: null })),
	);
	await batch.news('ended', ['one', 'two'], { phase: 'discarded' });
	assert.equal(batch.run.closed, 'completed');
});

test('orders to a batch that are not what they should be are refused', async () => {
	const batch = await SandboxBatch.start(sandbox, two);
	for (const [order, input] of [
		['cancel', {}],
		['retry', { by: 'x'.repeat(101) }],
		['retry', { ...asked, more: 1 }],
		['discard', { by: 'ann' }],
	] as const) {
		const { accepted, failure } = await batch.run.update(order, input);
		assert.deepEqual([accepted, failure?.code], [false, 'usage']);
	}
	await batch.run.signal('itemNews', { item: 'one', is: 'ready' });
	assert.ok(batch.run.logged.some(([, message]) => message.startsWith('news of a recovery that cannot be read')));
});

test('a failed item of a batch by `discard-unstarted` has the others asked to be taken back', async () => {
	const batch = await SandboxBatch.start(sandbox, { ...two, onFailure: 'discard-unstarted' });
	await batch.settle();
	await batch.news('ended', ['one'], { phase: 'failed', code: 'space_short', reason: 'no room' });
	const [sent] = batch.run.outside.sent;
	assert.ok(sent);
	assert.deepEqual([sent.workflowId, sent.signal], ['recovery/two', 'takeBack']);
	const reason = 'one did not come back: no room';
	assert.deepEqual(sent.message, { batch: 'site', by: 'batch site', reason });
});

test('`batch` that is over is started again to discard what it had started, and of what it finds what is named', async () => {
	const plan = batchPlan({ all: ['one', 'two', 'three', 'four'] });
	const batch = await SandboxBatch.start(sandbox, plan, { order: { is: 'discard', ...asked, found: ['three'] } });
	await batch.settle({
		one: { name: 'one', is: 'found', glance: own },
		three: { name: 'three', is: 'found', glance: running },
		four: { name: 'four', is: 'found', glance: running },
	});
	for (const told of batch.run.outside.sent) await batch.run.arrive(told);
	const orders = batch.run.open.filter(({ type }) => type === 'orderItems');
	assert.deepEqual(orders.flatMap(namesIn), ['one', 'three']);
	for (const order of orders) {
		const answers = namesIn(order).map(name => ({ name, refused: null }));
		await batch.run.completeActivity(order, answers);
	}
	await batch.news('ended', ['one', 'three'], { phase: 'discarded' });
	assert.deepEqual([batch.run.closed, batch.started()], ['completed', []]);
	assert.deepEqual(await batch.states(), { one: 'ended', two: 'left_out', three: 'ended', four: 'starting' });
});

test('`batch` fails at once when it is none, or another than it is called, or its plan leads nowhere', async () => {
	for (const [input, workflowId] of [
		[{}, 'batch/site'],
		[{ plan: two, more: 1 }, 'batch/site'],
		[{ plan: two }, 'batch/other'],
		[{ plan: { ...two, groups: [] } }, 'batch/site'],
		[{ plan: { ...two, groups: [{ name: 'all', after: ['all'] }] } }, 'batch/site'],
		[{ plan: { ...two, common: {} } }, 'batch/site'],
	] as const) {
		const run = await sandbox.start('batch', [input], workflowId);
		assert.deepEqual([run.closed, run.failureCode], ['failed', 'input_invalid']);
	}
});

test('`batch` with the state of a newer worker fails its workflow task, and not the batch', async () => {
	const site = new BatchSite(two);
	site.go();
	const state = { version: 2, items: [] };
	await assert.rejects(SandboxBatch.start(sandbox, two, { state }), /the workflow task failed/);
});

test('`batch` that is started again to retry looks for what is named with the word that it may run twice', async () => {
	const again = await SandboxBatch.start(sandbox, two, { order: { is: 'retry', ...asked, again: ['one'] } });
	assert.deepEqual(again.run.pending('prepareItems').input['items'], [
		{ name: 'one', requestHash: 'c'.repeat(64), again: true },
		{ name: 'two', requestHash: 'c'.repeat(64) },
	]);
	const stranger = await again.run.update('retry', { ...asked, again: ['three'] });
	assert.deepEqual([stranger.accepted, stranger.failure?.code], [false, 'usage']);
});
