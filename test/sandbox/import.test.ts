/** The workflow of an import; what its steps come to is played. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { asked } from '../equipment/batch-site.ts';
import { copied, importInput } from '../equipment/import-documents.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { SandboxImport } from './import-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const whole = ['planImport', 'sweepImports', 'beginImport', 'awaitMoment', 'copyImport', 'commitImport'];

test('an import goes from step to step, copies on a queue of its own, and ends with its point', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.planned();
	assert.deepEqual(of.run.pending('sweepImports').input['order'], order);
	await of.swept(['import x: busy']);
	assert.deepEqual(of.run.pending('beginImport').input['order'], order);
	await of.begun(order);
	assert.equal(of.run.pending('awaitMoment').scheduleToCloseMs, 7 * 86_400_000);
	await of.run.complete('awaitMoment');
	const { taskQueue, attempts, scheduleToCloseMs, input } = of.run.pending('copyImport');
	assert.deepEqual([taskQueue, attempts, scheduleToCloseMs], ['control-copy', 0, 0]);
	assert.deepEqual(input['order'], order);
	const { phase, restorePoint, consistency, outcome } = await of.view();
	assert.deepEqual([phase, restorePoint, consistency, outcome], ['copying', order.time, 'crash', null]);
	await of.run.complete('copyImport', { ...copied, warnings: ['a pack'] });
	await of.run.complete('commitImport');
	assert.deepEqual(of.steps, whole);
	assert.equal(of.run.closed, 'completed');
	assert.deepEqual([of.result.outcome, of.result.figures], ['imported', { newBytes: 4096, storedBytes: 1024 }]);
	assert.deepEqual(of.result.warnings, ['left over of import x: busy', 'a pack']);
	assert.equal(of.run.attributes['RousePhase'], 'over');
});

test('a worker that dies after any task is followed by one that goes on as if nothing had been', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.imported();
	for (let tasks = 1; tasks <= of.run.activations.length; tasks += 1) {
		const again = await sandbox.cutBack(of.run, tasks);
		assert.deepEqual(again.scheduled, of.run.scheduled.slice(0, again.scheduled.length));
		assert.equal(again.closed, tasks === of.run.activations.length ? 'completed' : undefined);
	}
});

for (const [step, code] of [
	['beginImport', 'access_denied'],
	['awaitMoment', 'moment_lost'],
	['copyImport', 'moment_lost'],
] as const)
	test(`an import whose ${step} fails for good is given up, and says why`, async () => {
		const of = await SandboxImport.start(sandbox);
		const order = await of.planned();
		await of.swept();
		if (step !== 'beginImport') await of.begun(order);
		if (step === 'copyImport') await of.run.complete('awaitMoment');
		await of.run.fail(step, code, 'why');
		const { input, taskQueue } = of.run.pending('giveUpImport');
		assert.deepEqual([input['order'], taskQueue], [order, 'control']);
		assert.equal((await of.view()).phase, 'giving-up');
		await of.run.complete('giveUpImport', 'given-up');
		assert.equal(of.run.closed, 'completed');
		const { outcome, failure, begunAnew } = of.result;
		assert.deepEqual([outcome, failure?.code, failure?.message, begunAnew], ['failed', code, 'why', 0]);
	});

test('an import that fails before its order is known has nothing to give up', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.run.fail('planImport', 'machine_unknown', 'no machine');
	assert.deepEqual([of.run.closed, of.steps], ['completed', ['planImport']]);
	assert.equal(of.result.failure?.code, 'machine_unknown');
});

test('one that failed, and whose point turns out to be there, is imported', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying();
	await of.run.fail('copyImport', 'store_unreachable');
	await of.run.complete('giveUpImport', 'published');
	await of.run.timeOut('commitImport');
	const { outcome, failure, figures, warnings } = of.result;
	assert.deepEqual([outcome, failure, figures, warnings.length], ['imported', null, null, 1]);
});

test('why an import has failed is told while it is given up, and a cancellation then changes nothing of it', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying();
	await of.run.fail('copyImport', 'moment_lost', 'why');
	await of.run.update('cancel', asked);
	const { phase, failure, outcome } = await of.view();
	assert.deepEqual([phase, failure?.code, outcome], ['giving-up', 'moment_lost', null]);
	await of.run.complete('giveUpImport', 'given-up');
	assert.deepEqual([of.result.failure?.message, of.result.cancelled], ['why', null]);
});

test('one that would be begun anew, and is cancelled while it is given up, is not', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.planned();
	await of.swept();
	await of.run.fail('beginImport', 'source_changed');
	assert.equal((await of.view()).failure, null);
	await of.run.update('cancel', asked);
	await of.run.complete('giveUpImport', 'given-up');
	assert.deepEqual([of.run.closed, of.result.failure?.code], ['completed', 'interrupted']);
});

test('what cannot be given up is left over, and told', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying();
	await of.run.fail('copyImport', 'moment_lost', 'why');
	await of.run.timeOut('giveUpImport');
	assert.equal(of.run.closed, 'completed');
	assert.equal(of.result.failure?.message, 'why');
	assert.match(of.result.warnings.join(), /left over/);
});

test('a commit that fails, and a sweep that fails, are warnings', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.planned();
	await of.run.fail('sweepImports', 'source_unreachable');
	await of.begun(order);
	await of.run.complete('awaitMoment');
	await of.run.complete('copyImport', copied);
	await of.run.timeOut('commitImport');
	assert.equal(of.run.closed, 'completed');
	assert.deepEqual([of.result.outcome, of.result.warnings.length, of.result.failure], ['imported', 2, null]);
});

for (const how of ['by a person', 'in Temporal'] as const)
	for (const step of ['planImport', 'beginImport', 'copyImport'] as const)
		test(`an import that is cancelled ${how} waits for the end of its ${step}, and is given up from when it had an order`, async () => {
			const of = await SandboxImport.start(sandbox);
			if (step === 'beginImport') {
				await of.planned();
				await of.swept();
			} else if (step === 'copyImport') await of.copying();
			assert.equal(of.run.pending(step).waits, true);
			if (how === 'by a person') assert.equal((await of.run.update('cancel', asked)).accepted, true);
			else await of.run.cancel();
			assert.deepEqual(of.run.pendingTypes(), [step], 'its process may still be at work');
			await of.run.resolveCancelled(step);
			if (step !== 'planImport') await of.run.complete('giveUpImport', 'given-up');
			assert.equal(of.run.closed, 'completed');
			const { outcome, failure, cancelled } = of.result;
			assert.deepEqual([outcome, failure?.code], ['failed', 'interrupted']);
			assert.match(cancelled ?? '', how === 'by a person' ? /^cancelled by ann: because/ : /^cancelled by Temporal/);
			assert.equal(of.steps.includes('giveUpImport'), step !== 'planImport');
		});

test('one that was copied is not cancelled any more', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying();
	await of.run.complete('copyImport', copied);
	await of.run.update('cancel', asked);
	await of.run.complete('commitImport');
	assert.deepEqual([of.result.outcome, of.result.cancelled], ['imported', null]);
});

test('a machine that changes its disks is given up and ordered anew by another tag, three times in all', async () => {
	const of = await SandboxImport.start(sandbox);
	const tags = new Set<string>();
	for (let begun = 1; begun <= 3; begun += 1) {
		const order = await of.planned();
		tags.add(order.tag);
		if (begun === 1) await of.swept();
		await of.run.fail('beginImport', 'source_changed', 'another disk');
		assert.deepEqual(of.run.pending('giveUpImport').input['order'], order);
		await of.run.complete('giveUpImport', 'given-up');
	}
	assert.deepEqual([of.run.closed, tags.size], ['completed', 3]);
	assert.deepEqual([of.result.failure?.code, of.result.begunAnew], ['source_changed', 2]);
});

test('a moment without a name has one attempt; then it is given up, and another one begun', async () => {
	const of = await SandboxImport.start(sandbox);
	const first = await of.copying({ moment: null });
	assert.equal(of.run.pending('copyImport').attempts, 1);
	await of.attemptEnds('copyImport', 'last attempt');
	assert.deepEqual(of.run.pending('giveUpImport').input['order'], first);
	await of.run.complete('giveUpImport', 'given-up');
	const second = await of.copying({ moment: null });
	assert.notEqual(second.tag, first.tag);
	await of.run.complete('copyImport', copied);
	await of.run.complete('commitImport');
	assert.deepEqual([of.result.outcome, of.result.begunAnew], ['imported', 1]);
});

test('a moment without a name whose attempt fails for good is not begun anew', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying({ moment: null });
	await of.run.fail('copyImport', 'source_invalid');
	await of.run.complete('giveUpImport', 'given-up');
	assert.deepEqual([of.run.closed, of.result.failure?.code], ['completed', 'source_invalid']);
});

test('a copy has as long as the platform keeps its moment', async () => {
	const of = await SandboxImport.start(sandbox);
	const holdUntil = new Date(of.run.nowMs + 3_600_000).toISOString();
	await of.copying({ holdUntil });
	assert.equal(of.run.pending('copyImport').scheduleToCloseMs, 3_600_000);
	await of.run.passTime(3_600_000);
	await of.run.timeOut('copyImport');
	await of.run.complete('giveUpImport', 'given-up');
	assert.equal(of.result.failure?.code, 'moment_lost');
});

test('an attempt after which there is no time for another while the platform keeps the moment was the last', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.copying({ holdUntil: new Date(of.run.nowMs + 3_600_000).toISOString() });
	await of.run.passTime(3_500_000);
	await of.attemptEnds('copyImport', 'out of time');
	await of.run.passTime(86_400_000);
	await of.run.complete('giveUpImport', 'given-up');
	assert.equal(of.result.failure?.code, 'moment_lost');
	assert.match(of.result.failure?.message ?? '', /kept its state until .*: connection reset$/);
});

test('an input that is none, or belongs to another workflow, is refused before anything is asked', async () => {
	for (const input of [
		{ ...importInput, machine: 'db01' },
		{ ...importInput, uri: 'ssh://web01' },
		{ ...importInput, repositoryId: 'main' },
	]) {
		const { run } = await SandboxImport.start(sandbox, input);
		assert.deepEqual([run.closed, run.failureCode, run.scheduled.length], ['failed', 'input_invalid', 0]);
	}
});
