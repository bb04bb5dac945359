/** The turn of an import among those of its repository: what it asks its broker for, and when it gives that back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as z from 'zod';
import { heldLeaseSchema } from '../../model/broker.ts';
import { asked } from '../equipment/batch-site.ts';
import { copied, importInput, importWorkflow } from '../equipment/import-documents.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { SandboxImport } from './import-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const heldIn = ({ run }: SandboxImport) =>
	z
		.array(heldLeaseSchema)
		.parse(run.memo['leases'])
		.map(({ request, host }) => [request.step, host]);

/** All that was on its way to the broker has come. */
async function givenBack({ run, broker }: SandboxImport): Promise<string[]> {
	await broker.hear(run);
	return broker.steps();
}

async function queued(): Promise<SandboxImport> {
	const of = await SandboxImport.start(sandbox);
	await of.queued();
	return of;
}

async function copying(): Promise<SandboxImport> {
	const of = await SandboxImport.start(sandbox);
	const order = await of.queued();
	await of.broker.grant(of.run);
	await of.begun(order);
	await of.run.complete('awaitMoment');
	return of;
}

test('an import begins its moment when it has its turn, tells that in its memo, and gives it back when it is copied', async () => {
	const of = await SandboxImport.start(sandbox, { ...importInput, maxRateBytes: 2 ** 20 });
	const order = await of.queued();
	assert.deepEqual([(await of.view()).phase, of.run.pendingTypes()], ['queued', []]);
	const { shared, hosts, expectedMs, holder } = of.broker.last();
	assert.deepEqual([shared, hosts, holder.workflowId], [{ 'repository/main/imports': 1 }, [], importWorkflow]);
	assert.equal(expectedMs, 60_000 + 1025 * 1_000, 'all disks at its rate');
	await of.broker.grant(of.run);
	assert.deepEqual(heldIn(of), [['import', null]]);
	assert.deepEqual(of.run.pending('beginImport').input['order'], order);
	await of.begun(order);
	await of.run.complete('awaitMoment');
	assert.deepEqual(await givenBack(of), []);
	await of.run.complete('copyImport', copied);
	assert.deepEqual([of.run.pendingTypes(), heldIn(of)], [['commitImport'], []]);
	await of.run.complete('commitImport');
	assert.equal(of.run.closed, undefined, 'not before that is on its way');
	assert.deepEqual(await givenBack(of), ['import']);
	assert.deepEqual([of.run.closed, of.result.outcome], ['completed', 'imported']);
});

test('a worker that dies after any task of an import with a lease is followed by one that goes on as if nothing had been', async () => {
	const of = await copying();
	await of.run.complete('copyImport', copied);
	await of.run.complete('commitImport');
	await givenBack(of);
	for (let tasks = 1; tasks <= of.run.activations.length; tasks += 1) {
		const again = await sandbox.cutBack(of.run, tasks);
		assert.deepEqual(again.scheduled, of.run.scheduled.slice(0, again.scheduled.length));
		assert.equal(again.closed, tasks === of.run.activations.length ? 'completed' : undefined);
	}
});

for (const how of ['by a person', 'in Temporal'] as const)
	test(`an import that is cancelled ${how} while it waits withdraws, and has nothing to give up`, async () => {
		const of = await queued();
		if (how === 'by a person') await of.run.update('cancel', asked);
		else await of.run.cancel();
		assert.deepEqual(await givenBack(of), ['import']);
		assert.deepEqual(of.steps, ['planImport', 'sweepImports']);
		assert.deepEqual([of.run.closed, of.result.failure?.code], ['completed', 'interrupted']);
	});

test('an import that is cancelled while its request is on its way to a broker that is not there starts none', async () => {
	const of = await SandboxImport.start(sandbox);
	of.broker.there = false;
	await of.planned({}, 'main');
	await of.swept();
	await of.run.update('cancel', asked);
	for (const word of ['acquire', 'release']) {
		assert.deepEqual(
			of.run.outside.sent.map(({ signal }) => signal),
			[word],
		);
		await of.broker.hear(of.run);
	}
	assert.deepEqual([of.run.closed, of.steps], ['completed', ['planImport', 'sweepImports']]);
	const warnings = of.run.logged.filter(([level]) => level === 'warn').map(([, message]) => message);
	assert.deepEqual(warnings, ['the import has failed']);
});

test('a turn that is granted when the import was cancelled goes back, and it does not end before that', async () => {
	const of = await queued();
	await of.run.update('cancel', asked);
	const [withdrawal] = of.run.outside.sent;
	assert.ok(withdrawal);
	await of.run.signal('leaseGranted', {
		requestId: `${importWorkflow}/${of.broker.last().holder.firstRunId}/import`,
		host: null,
		token: 7,
	});
	await of.run.arrive(withdrawal);
	assert.equal(of.run.closed, undefined);
	assert.deepEqual(await givenBack(of), ['import']);
	assert.equal(of.run.closed, 'completed');
	assert.ok(!of.steps.includes('beginImport'));
});

test('an import that fails, and one that is cancelled while it is copied, give their turn back before they are given up', async () => {
	for (const cancelled of [false, true]) {
		const of = await copying();
		if (cancelled) {
			await of.run.update('cancel', asked);
			await of.run.resolveCancelled('copyImport');
		} else await of.run.fail('copyImport', 'moment_lost');
		assert.deepEqual([await givenBack(of), heldIn(of), of.run.pendingTypes()], [['import'], [], ['giveUpImport']]);
		await of.run.complete('giveUpImport', 'given-up');
		assert.deepEqual([of.run.closed, of.result.outcome], ['completed', 'failed']);
	}
});

test('an import that is begun anew has its turn anew', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.queued();
	await of.broker.grant(of.run);
	await of.run.fail('beginImport', 'source_changed');
	await of.run.complete('giveUpImport', 'given-up');
	assert.deepEqual(await givenBack(of), ['import']);
	const order = await of.planned({}, 'main');
	assert.equal(await of.broker.grant(of.run), 'import-2');
	assert.deepEqual(of.run.pending('beginImport').input['order'], order);
});

test('an import that has waited for long is planned once more, by another tag and as of now', async () => {
	const of = await SandboxImport.start(sandbox);
	const first = await of.queued();
	await of.run.passTime(120_000);
	await of.broker.grant(of.run);
	assert.deepEqual([of.run.pendingTypes(), (await of.view()).phase], [['planImport'], 'planning']);
	const second = await of.planned({}, 'main');
	assert.notEqual(second.tag, first.tag);
	assert.deepEqual(of.run.pending('beginImport').input['order'], second);
	assert.equal(of.broker.asked.length, 1);
});

test('one whose plan fails for good by then gives its turn back, and has nothing to give up', async () => {
	const of = await queued();
	await of.run.passTime(120_000);
	await of.broker.grant(of.run);
	await of.run.fail('planImport', 'machine_unknown');
	assert.deepEqual(await givenBack(of), ['import']);
	assert.deepEqual([of.run.closed, of.steps.includes('giveUpImport')], ['completed', false]);
});

test('where no broker is there an import starts one, and asks again after five minutes by the same request', async () => {
	const of = await SandboxImport.start(sandbox);
	of.broker.there = false;
	await of.queued();
	await of.run.complete('askBroker');
	of.broker.there = true;
	await of.run.passTime(5 * 60_000);
	await of.broker.hear(of.run);
	assert.equal(of.broker.last().step, 'import');
	await of.run.update('cancel', asked);
	assert.deepEqual(await givenBack(of), ['import']);
	assert.equal(of.run.closed, 'completed');
});

test('an import whose broker is full asks again later, by another request of the same age', async () => {
	const of = await queued();
	const { sinceMs } = of.broker.last();
	await of.broker.refuse(of.run, 'broker_full');
	await of.run.passTime(15_000);
	await of.broker.hear(of.run);
	assert.deepEqual([of.broker.last().step, of.broker.last().sinceMs], ['import-2', sinceMs]);
});

test('a person who takes a turn away ends what waits for it, and leaves what is copied as it is', async () => {
	const word = (of: SandboxImport) =>
		of.run.signal('leaseRevoked', {
			requestId: `${importWorkflow}/${of.broker.last().holder.firstRunId}/import`,
			by: 'ann',
			reason: 'because',
		});
	const waits = await queued();
	await word(waits);
	assert.deepEqual([waits.run.closed, waits.result.failure?.code], ['completed', 'lease_ended']);
	const copies = await copying();
	await word(copies);
	assert.deepEqual([heldIn(copies), copies.run.pendingTypes()], [[], ['copyImport']]);
	await copies.run.complete('copyImport', copied);
	await copies.run.complete('commitImport');
	assert.deepEqual(heldIn(copies), []);
	assert.deepEqual([copies.run.closed, copies.broker.steps()], ['completed', []]);
});

const beat = { progress: null, furthestBytes: 7, furthestAttempt: 0, inVain: 11 };

test('a copy that comes no further leaves its turn to others, says why, and goes on with the same moment in its next one', async () => {
	const of = await copying();
	const { order, moment, inTurn, before: earlier } = of.run.pending('copyImport').input;
	assert.deepEqual([inTurn, earlier], [true, undefined]);
	const { sinceMs } = of.broker.last();
	await of.stalls('copyImport', { beat });
	assert.deepEqual([await givenBack(of), heldIn(of), of.run.pendingTypes()], [['import'], [], []]);
	const { phase, queuedAgain } = await of.view();
	assert.deepEqual([phase, queuedAgain], ['queued', 'connection reset']);
	assert.equal(of.broker.asked.length, 1, 'who comes in the next minutes goes before');
	await of.run.passTime(300_000);
	await of.run.complete('awaitMoment');
	assert.equal(await of.broker.grant(of.run), 'import-2');
	assert.ok(of.broker.last().sinceMs >= sinceMs + 300_000);
	assert.deepEqual([heldIn(of), (await of.view()).queuedAgain], [[['import-2', null]], null]);
	const again = of.run.pending('copyImport');
	assert.deepEqual([again.input['order'], again.input['moment'], again.input['before']], [order, moment, beat]);
	await of.run.complete('copyImport', copied);
	await of.run.complete('commitImport');
	assert.deepEqual(await givenBack(of), ['import', 'import-2']);
	assert.deepEqual([of.result.outcome, of.result.begunAnew], ['imported', 0]);
});

test('a copy whose attempts come no further for a day has taken less than a tenth of the history that Temporal keeps', async () => {
	const of = await copying();
	for (let turns = 2; turns <= 74; turns += 1) {
		await of.stalls('copyImport', { beat });
		await givenBack(of);
		await of.run.passTime(300_000);
		await of.run.complete('awaitMoment');
		await of.broker.grant(of.run);
	}
	// Of a task three events, of its commands as a rule one.
	assert.ok(of.run.activations.length * 5 < 5_120, String(of.run.activations.length));
	assert.deepEqual(of.run.pendingTypes(), ['copyImport']);
});

test('a begin that comes no further leaves its turn as well, goes on with the same order, and does so for a day', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.queued();
	await of.broker.grant(of.run);
	for (let turns = 1; turns < 72; turns += 1) {
		await of.stalls('beginImport');
		await givenBack(of);
		await of.run.passTime(300_000);
		await of.broker.grant(of.run);
		assert.deepEqual(of.run.pending('beginImport').input, {
			...of.run.pending('beginImport').input,
			order,
			inTurn: true,
		});
	}
	await of.stalls('beginImport');
	await of.run.complete('giveUpImport', 'given-up');
	await givenBack(of);
	assert.deepEqual([of.run.closed, of.result.failure?.message], ['completed', 'connection reset']);
});

test('a plan that is made once more, and comes no further, leaves its turn as well', async () => {
	const of = await queued();
	await of.run.passTime(120_000);
	await of.broker.grant(of.run);
	assert.equal(of.run.pending('planImport').input['inTurn'], true);
	await of.stalls('planImport');
	assert.deepEqual([await givenBack(of), (await of.view()).phase], [['import'], 'queued']);
	await of.run.passTime(300_000);
	await of.broker.grant(of.run);
	const order = await of.planned({}, 'main');
	assert.deepEqual(of.run.pending('beginImport').input['order'], order);
});

test('a moment that is not at hand within a minute is waited for without a turn, for a week', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.queued();
	await of.broker.grant(of.run);
	await of.begun(order);
	assert.equal(of.run.pending('awaitMoment').scheduleToCloseMs, 60_000);
	await of.attemptEnds('awaitMoment', 'out of time');
	assert.deepEqual([await givenBack(of), heldIn(of), (await of.view()).phase], [['import'], [], 'waiting']);
	assert.equal(of.run.pending('awaitMoment').scheduleToCloseMs, 7 * 86_400_000);
	await of.run.complete('awaitMoment');
	assert.match((await of.view()).queuedAgain ?? '', /not at hand/);
	await of.broker.grant(of.run);
	assert.deepEqual(of.run.pendingTypes(), ['copyImport']);
});

test('who waits once more is cancelled, and ended by a person who takes its place, and is given up then', async () => {
	for (const taken of [false, true]) {
		const of = await copying();
		await of.stalls('copyImport', { beat });
		await givenBack(of);
		await of.run.passTime(300_000);
		await of.run.complete('awaitMoment');
		await of.broker.hear(of.run);
		const requestId = `${importWorkflow}/${of.broker.last().holder.firstRunId}/import-2`;
		if (taken) await of.run.signal('leaseRevoked', { requestId, by: 'ann', reason: 'because' });
		else await of.run.update('cancel', asked);
		await of.run.complete('giveUpImport', 'given-up');
		await givenBack(of);
		assert.deepEqual([of.run.closed, of.result.failure?.code], ['completed', taken ? 'lease_ended' : 'interrupted']);
	}
});

test('a moment that its platform keeps no longer is not waited with for a turn', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.queued();
	await of.broker.grant(of.run);
	await of.begun(order, { holdUntil: new Date(of.run.nowMs + 3_600_000).toISOString() });
	await of.run.complete('awaitMoment');
	await of.stalls('copyImport', { beat, pauseMs: 4 * 3_600_000 });
	await givenBack(of);
	await of.run.passTime(3_600_000);
	assert.deepEqual(of.run.pendingTypes(), ['giveUpImport']);
	const { failure } = await of.view();
	assert.equal(failure?.code, 'moment_lost');
	assert.match(failure?.message ?? '', /no other turn by then: connection reset$/);
});

test('a moment that nobody reads is looked at every five minutes; only that it is lost ends it', async () => {
	const of = await copying();
	await of.stalls('copyImport', { beat });
	await givenBack(of);
	await of.run.passTime(300_000);
	await of.run.fail('awaitMoment', 'access_denied');
	await of.broker.hear(of.run);
	assert.equal(of.broker.last().step, 'import-2');
	await of.run.passTime(300_000);
	assert.equal(of.run.pending('awaitMoment').scheduleToCloseMs, 60_000);
	await of.run.fail('awaitMoment', 'moment_lost', 'hardly any room left');
	await of.run.complete('giveUpImport', 'given-up');
	assert.deepEqual(await givenBack(of), ['import', 'import-2']);
	assert.deepEqual([of.run.closed, of.result.failure?.message], ['completed', 'hardly any room left']);
});

test('who has waited for so long that Temporal would end it for the length of its history ends by itself, and is given up', async () => {
	for (const isBegun of [true, false]) {
		const of = isBegun ? await copying() : await queued();
		if (isBegun) await of.stalls('copyImport', { beat });
		await givenBack(of);
		of.run.historyLength = 40_001;
		await of.run.passTime(300_000);
		if (isBegun) await of.run.complete('giveUpImport', 'given-up');
		await givenBack(of);
		assert.deepEqual([of.run.closed, of.result.failure?.code], ['completed', 'timeout']);
	}
});

test('a moment without a name leaves no turn, for nobody could go on with it', async () => {
	const of = await SandboxImport.start(sandbox);
	const order = await of.queued();
	await of.broker.grant(of.run);
	await of.begun(order, { moment: null });
	await of.run.complete('awaitMoment');
	assert.equal(of.run.pending('copyImport').input['inTurn'], undefined);
});

test('an import that was planned by an earlier version waits for nobody', async () => {
	const of = await SandboxImport.start(sandbox);
	await of.imported();
	assert.deepEqual([of.run.closed, of.run.memo['leases'], of.run.outside.sent], ['completed', undefined, []]);
});
