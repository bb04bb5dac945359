/** A host that is gone is given up: its workflow waits for nothing of it any more. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, nobodyAnswers, startRecovery, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));
const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;

/** Ordered, and nobody of the host takes the question whether it is there. */
async function abandon(run: SandboxRun): Promise<void> {
	const { name } = await statusOf(run);
	await run.update('abandon', { ...asked, confirm: name });
	await nobodyAnswers(run);
}

async function endsAbandoned(run: SandboxRun): Promise<void> {
	assert.deepEqual(run.pendingTypes(), ['unpin']);
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
	assert.equal((run.result as { phase: string }).phase, 'abandoned');
	assert.equal(run.attributes['RousePhase'], 'abandoned');
}

test('`abandon` leaves a step that hangs with its host, gives the pin back and ends the recovery', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const copying = run.pending('migrateChunks').seq;
	await abandon(run);
	assert.ok(run.cancelled.has(copying));
	assert.ok(run.outcome().result);
	assert.equal((await statusOf(run)).phase, 'abandoning');
	await endsAbandoned(run);
});

test('`abandon` without the name in `confirm` is refused before anybody is asked', async () => {
	const { run } = await startRunning(sandbox);
	for (const confirm of ['', 'another']) {
		const { accepted, failure } = await run.update('abandon', { ...asked, confirm });
		assert.deepEqual([accepted, failure?.code], [false, 'usage']);
	}
	assert.deepEqual(run.pendingTypes(), []);
});

test('`abandon` of a host whose worker answers is refused, and everything goes on; all slots of one queue may be taken', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { name } = await statusOf(run);
	for (const taken of [/^host-.*-copy$/, /^host-(?!.*-copy$)/]) {
		await run.update('abandon', { ...asked, confirm: name });
		const late = run.open.find(({ type, taskQueue }) => type === 'answer' && taken.test(taskQueue));
		assert.ok(late);
		await run.timeOut('answer', late);
		await run.complete('answer');
		assert.equal(run.outcome().failure?.code, 'phase_wrong');
		assert.match(run.outcome().failure?.message ?? '', /the worker of host .* answers/);
		assert.deepEqual(run.pendingTypes(), ['migrateChunks']);
		assert.equal((await statusOf(run)).phase, 'migrating');
	}
});

test('`abandon` leaves an undo that hangs with its host', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	await run.fail('snapshot', 'hypervisor_stuck', 'no answer');
	const undo = run.pending('undo').seq;
	await abandon(run);
	assert.ok(run.cancelled.has(undo));
	await endsAbandoned(run);
});

test('`abandon` leaves a discard that hangs with its host', async () => {
	const { run } = await startRunning(sandbox);
	const { name } = await statusOf(run);
	await run.update('discard', { ...asked, confirm: name });
	run.pending('discard');
	await abandon(run);
	await endsAbandoned(run);
});

test('`abandon` of a recovery that is parked, with an order that is late, waits for neither', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.fail('migrateChunks', 'chunk_bad');
	await run.update('power', { ...asked, action: 'off' });
	await run.timeOut('power');
	const late = run.pending('power').seq;
	await abandon(run);
	assert.ok(run.cancelled.has(late));
	await endsAbandoned(run);
});

test('`abandon` before the pin was asked for has none to give back', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'reserve');
	await abandon(run);
	assert.equal(run.closed, 'completed');
	assert.equal((run.result as { phase: string }).phase, 'abandoned');
});

test('`abandon` of what its host has ended is refused: only the pin is left to be given back', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	run.pending('unpin');
	const { name } = await statusOf(run);
	assert.equal((await run.update('abandon', { ...asked, confirm: name })).failure?.code, 'phase_wrong');
});

test('while it is abandoned no other order is taken, nor what a host reports that comes back', async () => {
	const { run } = await startRunning(sandbox);
	await abandon(run);
	const { name, recoveryId } = await statusOf(run);
	for (const order of ['migrate', 'discard', 'retry'])
		assert.equal((await run.update(order, { ...asked, confirm: name })).failure?.code, 'phase_wrong', order);
	const blocked = { code: 'host_rebooted', reason: 'started anew', next: { order: 'power-on' } };
	await run.signal('hostReport', { recoveryId, power: 'off', blocked, incidents: [] });
	assert.equal((await statusOf(run)).parked, null);
	await endsAbandoned(run);
});

test('while it is abandoned a repository that is away keeps it from nothing: the pin is left, and an incident says so', async () => {
	const { run } = await startRunning(sandbox);
	await abandon(run);
	await run.fail('unpin', 'repository_missing');
	assert.equal(run.closed, 'completed');
	const { phase, incidents } = await statusOf(run);
	assert.deepEqual([phase, incidents.map(({ kind }) => kind)], ['abandoned', ['pin_left']]);
});

test('while it is abandoned it goes on in the next run', async () => {
	const { run } = await startRunning(sandbox);
	await abandon(run);
	const { recoveryId } = await statusOf(run);
	await run.fail('unpin', 'format_damaged');
	assert.deepEqual([(await statusOf(run)).phase, (await statusOf(run)).parked?.code], ['abandoning', 'format_damaged']);
	run.suggestContinueAsNew = true;
	await run.signal('hostReport', { recoveryId, power: 'off', blocked: null, incidents: [] });
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('recovery', run.nextArguments ?? []);
	await next.update('retry', asked);
	await endsAbandoned(next);
});
