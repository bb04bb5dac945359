/** The workflow of a drill; its recoveries and the tests of each machine are played. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MachineOutcome } from '../../model/drill-report.ts';
import type { DrillView } from '../../model/drill-view.ts';
import { asked, recoveryIdOf, running } from '../equipment/batch-site.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { namesIn } from './batch-run.ts';
import { drillPlan, SandboxDrill } from './drill-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const ordered = drillPlan({ db: ['db1'], web: ['w1', 'w2'] }, { after: { web: ['db'] } });
const outcomesIn = (input: Record<string, unknown>) => input['machines'] as MachineOutcome[];
const brief = ({ name, passed, code, discarded }: MachineOutcome) => [name, passed, code, discarded];

test('a drill tests what is ready, throws away what nobody needs any more, reports, and ends when nothing is left', async () => {
	const drill = await SandboxDrill.start(sandbox, ordered);
	assert.deepEqual(drill.recoveries(), ['db1']);
	await drill.ready('db1');
	assert.deepEqual(await drill.stages(), { db1: 'testing', w1: 'waiting', w2: 'waiting' });
	assert.deepEqual(drill.recoveries(), ['db1', 'w1', 'w2'], 'who follows waits for no test');
	await drill.tested('db1');
	assert.deepEqual(await drill.thrownAway(), [], 'those who follow may need it');
	await drill.ready('w1', 'w2');
	await drill.tested('w1');
	assert.deepEqual(await drill.thrownAway(), ['w1']);
	await drill.tested('w2', { passed: false, reason: 'echo: it ended with exit code 1' });
	assert.deepEqual(await drill.thrownAway(), ['db1', 'w2']);
	const first = drill.run.pending('writeDrillReport');
	assert.deepEqual(outcomesIn(first.input).map(brief), [
		['db1', true, null, false],
		['w1', true, null, false],
		['w2', false, 'drill_failed', false],
	]);
	await drill.run.completeActivity(first);
	assert.equal((await drill.view()).phase, 'discarding');
	await drill.gone('db1', 'w1', 'w2');
	assert.ok(outcomesIn(drill.run.pending('writeDrillReport').input).every(({ discarded }) => discarded));
	await drill.run.complete('writeDrillReport');
	assert.equal(drill.run.closed, 'completed');
	const { phase, passed, report } = drill.run.result as DrillView;
	assert.deepEqual([phase, passed, report], ['over', false, '2026-11-20T03-00-00Z']);
	const again = await sandbox.cutBack(drill.run, drill.run.activations.length);
	assert.equal(again.closed, 'completed');
});

test('its recoveries are cancelled by the server when the drill ends in any other way', async () => {
	const drill = await SandboxDrill.start(sandbox, ordered);
	const [child] = drill.run.outside.children;
	const requestCancel = 3; // ParentClosePolicy of temporal/api/enums/v1/workflow.proto
	assert.equal(child?.onClose, requestCancel);
	assert.equal(child.attributes['RouseBatch'], undefined, 'it is listed with no batch');
	assert.equal((child.input as { broker: boolean }).broker, true);
});

test('a machine that is never ready is looked at, tested by nothing, and holds up nobody', async () => {
	const drill = await SandboxDrill.start(sandbox, ordered);
	await drill.batch.news('not_ready', ['db1'], { code: 'not_ready', reason: 'the agent does not answer' });
	await drill.batch.settle();
	assert.deepEqual((drill.testing('db1').input as { tests: unknown[] }).tests, []);
	assert.deepEqual(drill.recoveries(), ['db1', 'w1', 'w2']);
	await drill.tested('db1');
	const [db1] = (await drill.view()).machines;
	assert.deepEqual([db1?.stage, db1?.code, db1?.reason], ['failed', 'not_ready', 'the agent does not answer']);
});

test('a machine that is not ready, and is kept for those who follow, is looked at while they are tested, every ten minutes and no more often', async () => {
	const drill = await SandboxDrill.start(sandbox, ordered);
	await drill.batch.news('not_ready', ['db1'], { code: 'not_ready', reason: 'the agent does not answer' });
	await drill.batch.settle();
	await drill.tested('db1');
	await drill.ready('w1', 'w2');
	await drill.run.passTime(600_000);
	for (let round = 0; round < 3; round += 1) {
		const look = drill.run.pending('lookAtItems');
		assert.deepEqual(namesIn(look), ['db1']);
		const glance = { ...running, recoveryId: recoveryIdOf('db1'), readiness: 'not_ready' as const };
		await drill.run.completeActivity(look, [{ name: 'db1', glance }]);
		for (const sent of drill.run.outside.sent) await drill.run.arrive(sent);
		await drill.run.passTime(599_000);
		assert.deepEqual(drill.run.pendingTypes(), []);
		await drill.run.passTime(1_000);
	}
	assert.deepEqual(await drill.stages(), { db1: 'failed', w1: 'testing', w2: 'testing' });
});

test('one that is parked, one that fails, and one that is refused are failed, and all the rest is thrown away', async () => {
	const drill = await SandboxDrill.start(sandbox, drillPlan({ all: ['a', 'b', 'c'] }));
	await drill.batch.news('parked', ['a'], { code: 'hypervisor_stuck', reason: 'it does not start' });
	await drill.batch.news('ended', ['b'], { phase: 'failed', code: 'space_short', reason: 'no room' });
	await drill.ready('c');
	await drill.tested('a', { passed: false, reason: null });
	assert.deepEqual(await drill.thrownAway(), ['a']);
	await drill.tested('c');
	assert.deepEqual(await drill.thrownAway(), ['c']);
	assert.deepEqual(outcomesIn(drill.run.pending('writeDrillReport').input).map(brief), [
		['a', false, 'hypervisor_stuck', false],
		['b', false, 'space_short', true],
		['c', true, null, false],
	]);
});

test('a recovery that is not there to be thrown away is looked at, and its end is the end', async () => {
	const drill = await SandboxDrill.start(sandbox, drillPlan({ all: ['a'] }));
	await drill.ready('a');
	await drill.tested('a');
	assert.deepEqual(await drill.thrownAway(false), ['a']);
	await drill.run.complete('writeDrillReport');
	const glance = { ...running, recoveryId: recoveryIdOf('a'), phase: 'discarded' as const, closed: 'ended' as const };
	await drill.run.complete('lookAtItems', [{ name: 'a', glance }]);
	await drill.run.complete('writeDrillReport');
	assert.equal(drill.run.closed, 'completed');
});

test('a report that cannot be written keeps nothing from being thrown away, and is written once more then', async () => {
	const drill = await SandboxDrill.start(sandbox, drillPlan({ all: ['a'] }));
	await drill.ready('a');
	await drill.tested('a');
	await drill.run.fail('writeDrillReport', 'format_damaged');
	assert.equal(drill.run.closed, undefined);
	assert.deepEqual(await drill.thrownAway(), ['a']);
	await drill.gone('a');
	await drill.run.complete('writeDrillReport');
	assert.equal(drill.run.closed, 'completed');
});

for (const how of ['by a person', 'in Temporal', 'by its time limit', 'for its long history'] as const)
	test(`a drill that is cancelled ${how} leaves its tests, throws everything away, and reports what it knows`, async () => {
		const drill = await SandboxDrill.start(sandbox, ordered);
		await drill.ready('db1');
		if (how === 'by a person') assert.equal((await drill.run.update('cancel', asked)).accepted, true);
		else if (how === 'in Temporal') await drill.run.cancel();
		else if (how === 'for its long history') {
			drill.run.historyLength = 30_000;
			await drill.batch.news('unparked', ['db1']);
		} else await drill.run.passTime(3_600_000);
		for (const look of drill.run.open.filter(({ type }) => type === 'lookAtItems'))
			await drill.run.completeActivity(
				look,
				namesIn(look).map(name => ({ name, glance: { ...running, recoveryId: recoveryIdOf(name) } })),
			);
		await drill.batch.settle();
		await drill.untested('db1');
		assert.deepEqual((await drill.thrownAway()).toSorted(), ['db1', 'w1', 'w2']);
		const { input } = drill.run.pending('writeDrillReport');
		assert.match(String(input['cancelled']), /^cancelled by /);
		assert.ok(outcomesIn(input).every(({ passed, code }) => !passed && code === 'interrupted'));
		await drill.run.complete('writeDrillReport');
		await drill.gone('db1', 'w1', 'w2');
		await drill.run.complete('writeDrillReport');
		assert.equal(drill.run.closed, 'completed');
		assert.equal((drill.run.result as DrillView).passed, false);
	});

for (const readiness of [null, 'ready', 'not_ready'] as const)
	test(`what an earlier drill of this name has left, ${readiness}, is waited for, and begun anew`, async () => {
		const run = await sandbox.start('drill', [{ plan: drillPlan({ all: ['a'] }) }], 'drill/site');
		const glance = { ...running, recoveryId: recoveryIdOf('a'), phase: 'discarding' as const, readiness };
		await run.complete('prepareItems', [{ name: 'a', is: 'found', glance }]);
		for (const sent of run.outside.sent) await run.arrive(sent);
		await run.signal('itemNews', {
			item: 'a',
			recoveryId: recoveryIdOf('a'),
			number: 1,
			is: 'ended',
			parked: false,
			phase: 'discarded',
			code: null,
			reason: null,
		});
		await run.complete('prepareItems', [{ name: 'a', is: 'free' }]);
		assert.deepEqual(
			run.outside.children.map(({ workflowId }) => workflowId),
			['recovery/a'],
		);
	});

test("a plan of which one request is not the drill's own is refused before anything is started", async () => {
	const plan = drillPlan({ all: ['a', 'b'] });
	const [first, ...others] = plan.batch.items;
	assert.ok(first);
	const items = [{ ...first, differs: { ...first.differs, drill: { name: 'another' } } }, ...others];
	const run = await sandbox.start('drill', [{ plan: { ...plan, batch: { ...plan.batch, items } } }], 'drill/site');
	assert.deepEqual([run.closed, run.failureCode, run.scheduled.length], ['failed', 'input_invalid', 0]);
});
