import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import type { ItemNews } from '../../workflows/batch-contracts.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;
const tcp = { check: { by: 'tcp', address: '10.0.0.5', port: 22 }, timeoutMs: 600_000 } as const;
const blocked = { code: 'io_failed', reason: 'the disk', next: { order: 'retry' } } as const;

async function startedBy(batch: string, changes: Parameters<typeof makeRequest>[0] = {}) {
	const request = makeRequest(changes);
	const run = await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), batch }]);
	return { run, request };
}

async function runningBy(batch: string, changes: Parameters<typeof makeRequest>[0] = {}) {
	const started = await startedBy(batch, changes);
	await bringTo(started.run, started.request, 'running');
	return started.run;
}

/** What is said and has not arrived; it arrives. */
async function heard(run: SandboxRun, batch = 'site', arrived = true): Promise<ItemNews[]> {
	const said: ItemNews[] = [];
	for (;;) {
		const [sent] = run.outside.sent;
		if (!sent) return said;
		assert.deepEqual([sent.workflowId, sent.signal], [`batch/${batch}`, 'itemNews']);
		assert.equal(run.outside.sent.length, 1, 'the next is told when the one before has arrived');
		said.push(sent.message as ItemNews);
		await run.arrive(sent, arrived);
	}
}

const words = (news: readonly ItemNews[]) => news.map(({ is, phase, code }) => [is, phase, code]);

async function report(run: SandboxRun, block: typeof blocked | null): Promise<void> {
	const { recoveryId } = recoveryStatusSchema.parse(await run.query('status'));
	await run.signal('hostReport', { recoveryId, power: 'on', blocked: block, incidents: [] });
}

test('a recovery that no batch has started tells nobody', async () => {
	const { run } = await startRunning(sandbox);
	await report(run, blocked);
	assert.deepEqual(run.outside.sent, []);
});

test('the batch is told ready, parked, unparked and ended, each once, with rising numbers', async () => {
	const run = await runningBy('site', { policy: migrate });
	const all = await heard(run);
	await run.fail('migrateChunks', 'io_failed');
	all.push(...(await heard(run)));
	await report(run, null);
	await run.update('retry', asked);
	await run.complete('retry');
	all.push(...(await heard(run)));
	await run.complete('migrateChunks', { complete: true, restoredBytes: 9 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.equal(run.closed, undefined, 'it does not end before its end is told');
	all.push(...(await heard(run)));
	assert.equal(run.closed, 'completed');
	assert.deepEqual(words(all), [
		['ready', 'migrating', null],
		['parked', 'migrating', 'io_failed'],
		['unparked', 'migrating', null],
		['ended', 'finished', null],
	]);
	const numbers = all.map(({ number }) => number);
	assert.deepEqual(
		numbers,
		[...new Set(numbers)].toSorted((a, b) => a - b),
	);
	assert.ok(all.every(({ item }) => item === 'web01-r1'));
});

test('what the host says blocks it is told as parked, and again only when that changes', async () => {
	const run = await runningBy('site');
	await heard(run);
	await report(run, blocked);
	await report(run, blocked);
	const said = await heard(run);
	await report(run, null);
	said.push(...(await heard(run)));
	assert.deepEqual(words(said), [
		['parked', 'running', 'io_failed'],
		['unparked', 'running', null],
	]);
	assert.equal(said[0]?.reason, 'the disk');
});

test('with a check, ready and not ready are told when it is settled', async () => {
	const run = await runningBy('site', { readiness: tcp });
	assert.deepEqual(await heard(run), []);
	await run.complete('checkReadiness', { ready: false, code: 'not_ready', reason: 'refused' });
	const [news] = await heard(run);
	assert.partialDeepStrictEqual(news, { is: 'not_ready', code: 'not_ready', reason: 'refused' });
	const other = await runningBy('site', { readiness: tcp });
	await other.complete('checkReadiness', { ready: true, code: null, reason: null });
	assert.deepEqual(words(await heard(other)), [['ready', 'running', null]]);
});

test('a finish that comes before the check passed is told after it', async () => {
	const run = await runningBy('site', { readiness: tcp, policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 9 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.deepEqual(await heard(run), []);
	await run.complete('checkReadiness', { ready: true, code: null, reason: null });
	const said = await heard(run);
	assert.deepEqual(
		said.map(({ is }) => is),
		['ready', 'ended'],
	);
});

test('one that fails before it ran tells how, and then fails', async () => {
	const { run, request } = await startedBy('site');
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short', 'no room');
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.closed, undefined);
	const [news] = await heard(run);
	assert.partialDeepStrictEqual(news, { is: 'ended', phase: 'failed', code: 'space_short', reason: 'no room' });
	assert.equal(run.failureCode, 'space_short');
});

test('`tellBatch` begins with what the recovery is, and each batch is told for itself', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.signal('tellBatch', { batch: 'late' });
	const first = await heard(run, 'late');
	assert.deepEqual(words(first), [['ready', 'migrating', null]]);
	await run.fail('migrateChunks', 'io_failed');
	await heard(run, 'late');
	await run.signal('tellBatch', { batch: 'later' });
	assert.deepEqual(words(await heard(run, 'later')), [
		['ready', 'migrating', null],
		['parked', 'migrating', 'io_failed'],
	]);
	await run.signal('tellBatch', { batch: 'late' });
	const again = await heard(run, 'late');
	assert.deepEqual(
		again.map(({ is }) => is),
		['ready', 'parked'],
	);
	assert.ok((again[0]?.number ?? 0) > (first.at(-1)?.number ?? 0));
});

test('`tellBatch` that is not understood changes nothing', async () => {
	const { run } = await startRunning(sandbox);
	for (const sent of [undefined, { batch: '../x' }, 7]) await run.signal('tellBatch', sent);
	assert.deepEqual(run.outside.sent, []);
});

test('a batch that is not there is told no more, and holds up no end', async () => {
	const run = await runningBy('site', { policy: migrate });
	await heard(run, 'site', false);
	await run.update('discard', { ...asked, confirm: 'web01-r1' });
	await run.complete('discard', { incidents: [], wasHere: true });
	await run.complete('unpin');
	assert.deepEqual(run.outside.sent, []);
	assert.equal(run.closed, 'completed');
});

test('a new run tells what the one before could not, and nothing that had arrived', async () => {
	const run = await runningBy('site');
	await heard(run);
	run.suggestContinueAsNew = true;
	await report(run, blocked);
	const [parked] = run.outside.sent;
	assert.equal((parked?.message as ItemNews | undefined)?.is, 'parked');
	assert.equal(run.closed, undefined, 'it waits until that has arrived');
	await heard(run);
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('recovery', run.nextArguments ?? []);
	assert.deepEqual(next.outside.sent, []);
	await report(next, null);
	const [unparked] = await heard(next);
	assert.equal(unparked?.is, 'unparked');
	assert.ok((unparked?.number ?? 0) > ((parked?.message as ItemNews | undefined)?.number ?? Infinity));
});

test('a discard that a person has confirmed is told as its end', async () => {
	const run = await runningBy('site');
	await heard(run);
	await run.update('discard', { ...asked, confirm: 'web01-r1' });
	await run.complete('discard', { incidents: [], wasHere: true });
	await run.complete('unpin');
	assert.deepEqual(words(await heard(run)), [['ended', 'discarded', null]]);
	assert.equal(run.closed, 'completed');
});
