import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RecoveryStatus, recoveryStatusSchema } from '../../model/recovery.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, startRecovery, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;
const tcp = { check: { by: 'tcp', address: '10.0.0.5', port: 22 }, timeoutMs: 600_000 } as const;
const ready = { ready: true, code: null, reason: null };
const refused = { ready: false, code: 'not_ready', reason: '10.0.0.5 port 22: refused' };

const statusOf = async (run: SandboxRun): Promise<RecoveryStatus> =>
	recoveryStatusSchema.parse(await run.query('status'));
const howReady = async (run: SandboxRun) => {
	const { readiness, timings } = await statusOf(run);
	return { is: readiness?.is, code: readiness?.code, reason: readiness?.reason, readyAt: timings.readyAt };
};

async function reported(run: SandboxRun): Promise<void> {
	const { recoveryId } = await statusOf(run);
	await run.signal('hostReport', { recoveryId, power: 'on', blocked: null, incidents: [] });
}

test('without `readiness` a machine is ready when it is powered on, and nobody is asked', async () => {
	const { run } = await startRunning(sandbox);
	const { timings, readiness } = await statusOf(run);
	assert.equal(timings.readyAt, timings.runningAt);
	assert.ok(timings.readyAt);
	assert.equal(readiness?.is, 'ready');
	assert.deepEqual(run.pendingTypes(), []);
});

test('one that is left off is ready at once, whatever is to be asked', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, powerOn: false });
	assert.equal((await howReady(run)).is, 'ready');
	assert.deepEqual(run.pendingTypes(), []);
});

test('with `readiness` its host asks beside the copy, on the queue of what watches, and `readyAt` is when it passed', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, policy: migrate });
	assert.deepEqual(run.pendingTypes().toSorted(), ['checkReadiness', 'migrateChunks']);
	const { input, taskQueue } = run.pending('checkReadiness');
	assert.partialDeepStrictEqual(input, { check: tcp.check, timeoutMs: 600_000, forwarded: false });
	assert.match(taskQueue, /-copy$/);
	assert.equal((await howReady(run)).is, 'waiting');
	await run.passTime(30_000);
	await run.complete('checkReadiness', ready);
	assert.deepEqual(await howReady(run), { is: 'ready', code: null, reason: null, readyAt: '2026-11-20T03:00:30.000Z' });
	assert.deepEqual((run.memo['status'] as RecoveryStatus).timings.readyAt, '2026-11-20T03:00:30.000Z');
	assert.deepEqual(run.pendingTypes(), ['migrateChunks']);
});

test('a check that does not pass in time settles it as not ready, with the last reason', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp });
	await run.complete('checkReadiness', refused);
	assert.deepEqual(await howReady(run), {
		is: 'not_ready',
		code: 'not_ready',
		reason: refused.reason,
		readyAt: undefined,
	});
	assert.equal((await statusOf(run)).parked, null);
	await run.update('migrate', asked);
	assert.deepEqual(run.pendingTypes(), ['migrateChunks']);
});

test('a host whose worker is away until the time is over leaves it not ready, by `timeout`', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp });
	await run.timeOut('checkReadiness');
	assert.partialDeepStrictEqual(await howReady(run), { is: 'not_ready', code: 'timeout' });
});

test('the check holds up neither orders nor the switch; the recovery ends when it is settled', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, policy: migrate });
	const answer = await run.update('power', { ...asked, action: 'reset' });
	assert.equal(answer.accepted, true);
	await run.complete('power', { power: 'on' });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 9 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.equal(run.closed, undefined);
	assert.deepEqual(run.pendingTypes(), ['checkReadiness']);
	await run.complete('checkReadiness', ready);
	assert.equal(run.closed, 'completed');
	assert.ok((run.result as { status: RecoveryStatus }).status.timings.readyAt);
});

test('a cancellation ends the waiting of a finished recovery for its check', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 9 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	await run.cancel();
	assert.equal(run.closed, 'completed');
	assert.equal((run.result as { phase: string }).phase, 'finished');
});

test('a discard ends the check', async () => {
	const { run, request } = await startRunning(sandbox, { readiness: tcp });
	await run.update('discard', { ...asked, confirm: request.name });
	assert.deepEqual(run.pendingTypes(), ['discard']);
	await run.complete('discard', { incidents: [], wasHere: true });
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
});

test('a host that has finished what was to be discarded is believed, and no check that nobody makes is waited for', async () => {
	const { run, request } = await startRunning(sandbox, { readiness: tcp });
	await run.update('discard', { ...asked, confirm: request.name });
	await run.failActivity(run.pending('discard'), {
		code: 'generation_stale',
		message: 'it is finished',
		details: { ended: 'finished' },
	});
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
	assert.equal((run.result as { phase: string }).phase, 'finished');
});

test('a new run begins the check anew, with what is left of its time', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp });
	run.suggestContinueAsNew = true;
	await reported(run);
	const [input, state] = run.nextArguments as [unknown, { readiness: { until: string } }];
	assert.equal(state.readiness.until, '2026-11-20T03:10:00.000Z');
	// As if the new run began a minute later: in the sandbox each begins at the same time.
	const left = { ...state, readiness: { ...state.readiness, until: '2026-11-20T03:09:00.000Z' } };
	const next = await sandbox.start('recovery', [input, left]);
	assert.equal(next.pending('checkReadiness').input['timeoutMs'], 540_000);
	await next.complete('checkReadiness', ready);
	next.suggestContinueAsNew = true;
	await reported(next);
	const last = await sandbox.start('recovery', next.nextArguments ?? []);
	assert.deepEqual(last.pendingTypes(), [], 'settled is settled');
	assert.equal((await howReady(last)).is, 'ready');
});

test('a run of before knows nothing of readiness: one without a check that runs is ready, one with a check is asked', async () => {
	for (const readiness of [undefined, tcp]) {
		const { run } = await startRunning(sandbox, readiness ? { readiness } : {});
		run.suggestContinueAsNew = true;
		await reported(run);
		const [input, { readiness: _unknown, batches: _batches, ...older }] = run.nextArguments as [
			unknown,
			object & Record<string, unknown>,
		];
		const next = await sandbox.start('recovery', [input, older]);
		assert.deepEqual(next.pendingTypes(), readiness ? ['checkReadiness'] : []);
		assert.equal((await howReady(next)).is, readiness ? 'waiting' : 'ready');
	}
});

test('`agent` on a platform without a way to it is refused before anything is made', async () => {
	const agent = { check: { by: 'agent' }, timeoutMs: 60_000 } as const;
	const { run, request } = await startRecovery(sandbox, { readiness: agent });
	await bringTo(run, request, 'chooseHardware');
	await run.complete('chooseHardware', sampleHardware);
	await run.complete('undo', { wasHere: false });
	assert.equal(run.failureCode, 'config_invalid');
	const other = await startRecovery(sandbox, { readiness: agent });
	await bringTo(other.run, other.request, 'chooseHardware');
	await other.run.complete('chooseHardware', { ...sampleHardware, agent: true });
	assert.deepEqual(other.run.pendingTypes(), ['pin']);
});

test('a port that the host forwards counts only when the guest speaks', async () => {
	const forwards = [{ address: '0.0.0.0', port: 2222, guestPort: 22 }];
	const readiness = { check: { by: 'tcp', address: '127.0.0.1', port: 2222 }, timeoutMs: 60_000 } as const;
	const { run } = await startRunning(sandbox, { readiness, forwards });
	assert.equal(run.pending('checkReadiness').input['forwarded'], true);
});

test('of a drill what its machine has read is remembered before anybody is told that it is ready, and `readyAt` is before that', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, drill: { name: 'nightly' } });
	await run.passTime(30_000);
	await run.complete('checkReadiness', ready);
	assert.deepEqual(run.pendingTypes(), ['keepFirstReads']);
	assert.equal((await howReady(run)).is, 'waiting');
	await run.passTime(5_000);
	await run.complete('keepFirstReads', { chunks: 9 });
	assert.deepEqual(await howReady(run), { is: 'ready', code: null, reason: null, readyAt: '2026-11-20T03:00:30.000Z' });
});

test('a drill whose host cannot remember what its machine has read is ready all the same', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, drill: { name: 'nightly' } });
	await run.complete('checkReadiness', ready);
	await run.timeOut('keepFirstReads');
	assert.equal((await howReady(run)).is, 'ready');
	assert.equal((await statusOf(run)).parked, null);
});

test('a drill whose machine is not ready in time remembers nothing', async () => {
	const { run } = await startRunning(sandbox, { readiness: tcp, drill: { name: 'nightly' } });
	await run.complete('checkReadiness', refused);
	assert.equal((await howReady(run)).is, 'not_ready');
	assert.deepEqual(run.pendingTypes(), []);
});
