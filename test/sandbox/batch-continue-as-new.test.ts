import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asked, batchPlan, recoveryIdOf, running } from '../equipment/batch-site.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { namesIn, SandboxBatch } from './batch-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

test('`batch` continues as new when nothing is under way, begins nothing meanwhile, and loses nothing', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one', 'two', 'three', 'four'] }, { window: 2 }));
	await batch.settle();
	await batch.news('parked', ['one'], { code: 'chunk_bad', reason: 'a chunk' });
	const [third] = batch.waiting();
	assert.ok(third, 'it is not known yet whether that was started');
	batch.run.suggestContinueAsNew = true;
	assert.deepEqual(await batch.run.update('retry', asked), { accepted: true, result: 1 });
	await batch.news('ready', ['two']);
	assert.equal(batch.run.closed, undefined);
	assert.deepEqual([batch.run.pendingTypes(), batch.waiting()], [[], [third]]);
	await batch.begin(third);
	assert.equal(batch.run.closed, 'continued');

	const next = await batch.next(sandbox);
	assert.deepEqual(await next.states(), { one: 'parked', two: 'ready', three: 'starting', four: 'starting' });
	assert.deepEqual(next.run.pending('orderItems').input, {
		order: 'retry',
		batch: 'site',
		...asked,
		items: [{ name: 'one', requestHash: 'c'.repeat(64), recoveryId: recoveryIdOf('one'), own: true }],
	});
	assert.deepEqual(next.started(), ['recovery/four']);
	await next.settle();
	await next.run.complete('orderItems', [{ name: 'one', refused: null }]);
	await next.run.complete('lookAtItems', [{ name: 'one', glance: running }]);
	await next.news('ready', ['one', 'three', 'four']);
	assert.equal(next.run.closed, 'completed');
});

test('`batch` continues as new when a worker of another version takes over, and loses nothing', async () => {
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: ['one', 'two'] }));
	await batch.settle();
	assert.equal(batch.run.closed, undefined);
	batch.run.buildId = 'two';
	await batch.news('ready', ['one']);
	assert.equal(batch.run.closed, 'continued');
	const next = await batch.next(sandbox);
	assert.deepEqual(await next.states(), { one: 'ready', two: 'starting' });
});

test('`batch` that continues as new while it looks for what exists goes on where it was', async () => {
	const names = Array.from({ length: 150 }, (_, number) => `m${number}`);
	const batch = await SandboxBatch.start(sandbox, batchPlan({ all: names }));
	batch.run.suggestContinueAsNew = true;
	await batch.prepared(batch.run.pending('prepareItems'));
	assert.equal(batch.run.closed, 'continued');
	const next = await batch.next(sandbox);
	assert.deepEqual(namesIn(next.run.pending('prepareItems')), names.slice(100));
	await next.settle();
	assert.equal(next.started().length, 100);
});

test('`batch` of a thousand machines brings all of them back, over runs of some hundred events', {
	timeout: 60_000,
}, async () => {
	const groups = Object.fromEntries(
		Array.from({ length: 4 }, (_, group) => [
			`g${group}`,
			Array.from({ length: 250 }, (_each, item) => `m${group}-${item}`),
		]),
	);
	const plan = batchPlan(groups, { window: 50, after: { g1: ['g0'], g2: ['g1'], g3: ['g2'] } });
	let batch = await SandboxBatch.start(sandbox, plan);
	const begun: string[] = [];
	let open: string[] = [];
	let [runs, known] = [1, 0];
	while (batch.run.closed !== 'completed') {
		if (batch.run.closed === 'continued') {
			batch = await batch.next(sandbox);
			[runs, known] = [runs + 1, 0];
		}
		batch.run.suggestContinueAsNew = batch.run.historyLength > 800;
		await batch.settle();
		const more = batch.started().slice(known).map(nameOf);
		known += more.length;
		begun.push(...more);
		open.push(...more);
		assert.ok(open.length <= 50, `${open.length} on their way`);
		batch.run.nowMs += 1_000;
		if (batch.run.closed !== undefined) continue;
		await batch.news('ready', open.slice(0, 7));
		open = open.slice(7);
	}
	assert.equal(new Set(begun).size, 1_000);
	assert.ok(runs > 3, `${runs} runs`);
});

function nameOf(workflowId: string): string {
	return workflowId.slice('recovery/'.length);
}
