/** A parked recovery gives its migration stream back, and not before its host copies no more. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { copying, heldSteps, hostReport, memoPhase, memoStatus, type Site } from './lease-run.ts';
import { asked, nobodyAnswers } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const days = 24 * 60 * 60_000;
const parkedBy = (run: SandboxRun) => memoStatus(run).parked?.code;
const generationOf = (run: SandboxRun, step: string) => Number(run.pending(step).input['generation']);

async function returned({ run, broker }: Site): Promise<string[]> {
	await broker.hear(run);
	return broker.steps();
}

/** Cancelled in Temporal while it copies: its host is told to pause. */
async function startPausing(): Promise<Site> {
	const site = await copying(sandbox);
	await site.run.cancel();
	return site;
}

test('a recovery that is cancelled parks first, then pauses its copy, and gives its stream back when that is done', async () => {
	const site = await copying(sandbox);
	const { run } = site;
	const copied = generationOf(run, 'migrateChunks');
	await run.cancel();
	assert.deepEqual([parkedBy(run), run.pendingTypes()], ['interrupted', ['pauseMigration']]);
	assert.ok(generationOf(run, 'pauseMigration') > copied, 'what was ordered before comes too late');
	assert.deepEqual([heldSteps(run), await returned(site)], [['run', 'migrate'], []], 'not before the host has paused');
	await run.complete('pauseMigration');
	assert.deepEqual([await returned(site), heldSteps(run), parkedBy(run)], [['migrate'], ['run'], 'interrupted']);
	assert.deepEqual([memoPhase(run), run.pendingTypes()], ['migrating', []]);
});

test('a migration that parks by a failure does the same, and takes another stream when somebody says `retry`', async () => {
	const site = await copying(sandbox);
	const { run, broker } = site;
	await run.fail('migrateChunks', 'io_failed');
	assert.deepEqual([parkedBy(run), await returned(site)], ['io_failed', []]);
	await run.complete('pauseMigration');
	assert.deepEqual(await returned(site), ['migrate']);
	await run.update('retry', asked);
	await run.complete('retry');
	assert.equal(await broker.grant(run), 'migrate-2');
	run.pending('migrateChunks');
});

test('a host that is away is told to pause when it is back; until then the stream stays held', async () => {
	const site = await startPausing();
	const { run } = site;
	await run.passTime(3 * days);
	assert.deepEqual(
		[run.pendingTypes(), heldSteps(run), await returned(site)],
		[['pauseMigration'], ['run', 'migrate'], []],
	);
	await run.complete('pauseMigration');
	assert.deepEqual(await returned(site), ['migrate']);
});

test('`retry` before the host has paused goes on with the same stream, above the pause', async () => {
	const site = await startPausing();
	const { run } = site;
	const pause = run.pending('pauseMigration');
	await run.update('retry', asked);
	assert.ok(run.cancelled.has(pause.seq));
	await run.complete('retry');
	assert.ok(generationOf(run, 'migrateChunks') > Number(pause.input['generation']));
	assert.deepEqual([heldSteps(run), await returned(site), parkedBy(run)], [['run', 'migrate'], [], undefined]);
});

test('`discard` and `abandon` do not wait for the pause', async () => {
	const discarded = await startPausing();
	await discarded.run.update('discard', { ...asked, confirm: discarded.request.name });
	assert.deepEqual(discarded.run.pendingTypes(), ['discard']);
	await discarded.run.complete('discard', { incidents: [], wasHere: true });
	assert.deepEqual((await returned(discarded)).toSorted(), ['migrate', 'run']);

	const abandoned = await startPausing();
	await abandoned.run.update('abandon', { ...asked, confirm: abandoned.request.name });
	await nobodyAnswers(abandoned.run);
	await abandoned.run.complete('unpin');
	assert.deepEqual([(await returned(abandoned)).toSorted(), abandoned.run.closed], [['migrate', 'run'], 'completed']);
});

test('a recovery that is cancelled again while it pauses stays parked, and pauses', async () => {
	const site = await startPausing();
	await site.run.cancel();
	assert.deepEqual([parkedBy(site.run), site.run.pendingTypes()], ['interrupted', ['pauseMigration']]);
	await site.run.complete('pauseMigration');
	assert.deepEqual(await returned(site), ['migrate']);
});

test('the run after one that continued as new while it paused pauses as well', async () => {
	const site = await startPausing();
	const { run } = site;
	run.suggestContinueAsNew = true;
	await run.signal('hostReport', hostReport(run, false));
	assert.equal(run.closed, 'continued');
	const next = await sandbox.goOn(run);
	assert.deepEqual([parkedBy(next), next.pendingTypes()], ['interrupted', ['pauseMigration']]);
	await next.complete('pauseMigration');
	assert.deepEqual(await returned({ ...site, run: next }), ['migrate']);
});

test('a host that refuses to pause keeps the stream until somebody says `retry`', async () => {
	const site = await startPausing();
	const { run } = site;
	await run.fail('pauseMigration', 'internal');
	assert.deepEqual([parkedBy(run), run.pendingTypes(), await returned(site)], ['interrupted', [], []]);
	await run.update('retry', asked);
	await run.complete('retry');
	run.pending('migrateChunks');
	assert.deepEqual(await returned(site), []);
});

test('a host that has nothing of the recovery any more has paused it: the stream goes back', async () => {
	const site = await copying(sandbox);
	const { run } = site;
	await run.fail('migrateChunks', 'recovery_unknown');
	await run.fail('pauseMigration', 'recovery_unknown');
	assert.deepEqual([parkedBy(run), await returned(site)], ['recovery_unknown', ['migrate']]);
});

test('a host that is further than this workflow is told nothing before somebody has looked', async () => {
	const site = await copying(sandbox);
	await site.run.fail('migrateChunks', 'generation_stale', 'it is further', { generation: 99 });
	assert.deepEqual([parkedBy(site.run), site.run.pendingTypes()], ['generation_stale', []]);
	assert.deepEqual(await returned(site), []);
});

test('a pause that is refused because the host is further is the reason for which it is parked from then on', async () => {
	const site = await startPausing();
	await site.run.fail('pauseMigration', 'generation_stale', 'it is further', { generation: 99 });
	assert.deepEqual([parkedBy(site.run), site.run.pendingTypes()], ['generation_stale', []]);
	assert.deepEqual(await returned(site), []);
});

test('a host that is blocked and copies no more is told to pause, and copying goes on with another stream when it is free', async () => {
	const site = await copying(sandbox);
	const { run, broker } = site;
	await run.signal('hostReport', hostReport(run, true));
	assert.deepEqual([run.pendingTypes(), await returned(site)], [['pauseMigration'], []]);
	await run.complete('pauseMigration');
	assert.deepEqual([run.pendingTypes(), await returned(site)], [[], ['migrate']]);
	await run.signal('hostReport', hostReport(run, false));
	assert.equal(await broker.grant(run), 'migrate-2');
	run.pending('migrateChunks');
});

test('a host that is blocked and copies on, all but a bad chunk, keeps its stream until it has come to the end of that', async () => {
	const site = await copying(sandbox);
	const { run } = site;
	const slice = run.pending('migrateChunks');
	await run.signal('hostReport', hostReport(run, true, { copying: true }));
	assert.deepEqual([run.pending('migrateChunks').seq, await returned(site)], [slice.seq, []]);
	await run.signal('hostReport', hostReport(run, true, { copying: false }));
	await run.complete('pauseMigration');
	assert.deepEqual([run.pendingTypes(), await returned(site)], [[], ['migrate']]);
});

test('a host that is not blocked any more before it has paused goes on with the same stream', async () => {
	const site = await copying(sandbox);
	const { run } = site;
	await run.signal('hostReport', hostReport(run, true));
	await run.signal('hostReport', hostReport(run, false));
	run.pending('migrateChunks');
	assert.deepEqual([heldSteps(run), await returned(site)], [['run', 'migrate'], []]);
});

test('a recovery that is cancelled while it waits for a stream withdraws that, and its host has nothing to pause', async () => {
	const site = await copying(sandbox);
	const { run, broker } = site;
	await run.signal('hostReport', hostReport(run, true));
	await run.complete('pauseMigration');
	await run.signal('hostReport', hostReport(run, false));
	for (let heard = 0; heard < 2; heard += 1) await broker.hear(run); // of the one, and then of the other
	assert.equal(broker.last().step, 'migrate-2');
	await run.cancel();
	assert.deepEqual([run.pendingTypes(), await returned(site)], [[], ['migrate', 'migrate-2']]);
});
