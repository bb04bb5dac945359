import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, startRecovery, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));
const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;

async function nextRun(run: SandboxRun): Promise<SandboxRun> {
	assert.equal(run.closed, 'continued');
	return sandbox.start('recovery', run.nextArguments ?? []);
}

async function report(run: SandboxRun, recoveryId: string): Promise<void> {
	await run.signal('hostReport', { recoveryId, power: 'on', blocked: null, incidents: [], restoredBytes: 5 });
}

test('while running, a long history is renewed and the next run knows all', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 77 } });
	const earlier = await statusOf(run);
	run.suggestContinueAsNew = true;
	await report(run, earlier.recoveryId);
	const next = await nextRun(run);
	assert.deepEqual(await statusOf(next), earlier);
	assert.deepEqual(next.pendingTypes(), [], 'no step is done twice');
	await next.update('migrate', asked);
	const { input } = next.pending('migrateChunks');
	assert.equal(input['maxRateBytes'], 77);
	assert.ok(Number(input['generation']) > earlier.generation);
});

test('a run goes on from the state of an older one that lacks what is new', async () => {
	const { run } = await startRunning(sandbox);
	run.suggestContinueAsNew = true;
	await report(run, (await statusOf(run)).recoveryId);
	const [input, { retryOnHost: _unknown, ...older }] = run.nextArguments as [unknown, Record<string, unknown>];
	const next = await sandbox.start('recovery', [input, older]);
	next.suggestContinueAsNew = true;
	await report(next, (await statusOf(next)).recoveryId);
	assert.deepEqual(next.nextArguments, run.nextArguments);
});

test('while waiting for the host it is renewed, asks again, and can still be undone', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'reserve');
	run.suggestContinueAsNew = true;
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	const next = await nextRun(run);
	assert.deepEqual(next.pendingTypes(), ['reserve']);
	await next.update('discard', { ...asked, confirm: request.name });
	assert.deepEqual(next.pendingTypes(), ['discard']);
});

test('while copying it is renewed between slices', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	run.suggestContinueAsNew = true;
	await run.complete('migrateChunks', { complete: false, restoredBytes: 9 });
	const next = await nextRun(run);
	assert.deepEqual(next.pendingTypes(), ['migrateChunks']);
	assert.equal((await statusOf(next)).phase, 'migrating');
});

test('while parked it is renewed, stays parked, and retry goes on', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.fail('migrateChunks', 'io_failed');
	const { recoveryId, parked } = await statusOf(run);
	run.suggestContinueAsNew = true;
	await report(run, recoveryId);
	const next = await nextRun(run);
	assert.deepEqual((await statusOf(next)).parked, parked);
	assert.deepEqual(next.pendingTypes(), []);
	await next.update('retry', asked);
	await next.complete('retry');
	next.pending('migrateChunks');
});

test('while a discard is parked it is renewed and stays a discard', async () => {
	const { run, request } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	await run.update('discard', { ...asked, confirm: request.name });
	await run.fail('discard', 'io_failed');
	run.suggestContinueAsNew = true;
	await report(run, recoveryId);
	const next = await nextRun(run);
	assert.equal((await statusOf(next)).phase, 'discarding');
	await next.update('retry', asked);
	next.pending('discard');
});

test('an order that is being answered holds the renewal back', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'off' });
	run.suggestContinueAsNew = true;
	await report(run, (await statusOf(run)).recoveryId);
	assert.equal(run.closed, undefined);
	await run.complete('power', { power: 'off' });
	assert.equal(recoveryStatusSchema.parse(run.outcome().result).power, 'off');
	assert.equal(run.closed, 'continued');
});

test('a step that must not be left (power-on) is finished before the renewal', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'powerOn');
	run.suggestContinueAsNew = true;
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	assert.deepEqual(run.pendingTypes(), ['powerOn']);
	await run.complete('powerOn');
	assert.equal(run.closed, 'continued');
});

test('a cancellation that comes while an order holds the renewal back is heeded by the next run', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'reset' });
	run.suggestContinueAsNew = true;
	await report(run, (await statusOf(run)).recoveryId);
	await run.cancel();
	await run.complete('power', { power: 'on' });
	const next = await nextRun(run);
	assert.equal((await statusOf(next)).parked?.code, 'interrupted');
	await next.update('retry', asked);
	await next.complete('retry');
	assert.equal((await statusOf(next)).parked, null, 'heeded once');
});
