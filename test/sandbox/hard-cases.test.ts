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
const blocked = {
	code: 'chunk_bad',
	reason: 'chunk 12 of disk0',
	next: { order: 'retry', first: 'repair it' },
} as const;

test('after a cancellation in Temporal the machine can still be switched off', async () => {
	const { run } = await startRunning(sandbox);
	await run.cancel();
	await run.update('power', { ...asked, action: 'off' });
	await run.complete('power', { power: 'off' });
	assert.equal(recoveryStatusSchema.parse(run.outcome().result).power, 'off');
});

test('a cancellation does not end an order that the host carries out', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'off' });
	await run.cancel();
	await run.complete('power', { power: 'off' });
	assert.equal(recoveryStatusSchema.parse(run.outcome().result).power, 'off');
});

test('a retry after the switch asks nothing of the host, which has buried the recovery', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [] });
	await run.fail('unpin', 'internal');
	assert.equal((await statusOf(run)).parked?.code, 'internal');
	await run.update('retry', asked);
	assert.deepEqual(run.pendingTypes(), ['unpin']);
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
});

test('what blocked the machine does not park its discard', async () => {
	const { run, request } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	const report = { recoveryId, power: 'paused', blocked, incidents: [] };
	await run.signal('hostReport', report);
	await run.update('discard', { ...asked, confirm: request.name });
	assert.equal((await statusOf(run)).parked, null);
	await run.signal('hostReport', report);
	assert.equal((await statusOf(run)).parked, null, 'nor when the host says it again');
	assert.equal(run.attributes['RouseParked'], null);
});

test('a discard before power-on that cannot undo a step parks, and goes on with it after retry', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.update('discard', { ...asked, confirm: request.name });
	await run.fail('discard', 'io_failed', 'the disk cannot be written');
	const { phase, parked } = await statusOf(run);
	assert.deepEqual([phase, parked?.code], ['discarding', 'io_failed']);
	await run.update('retry', asked);
	await run.complete('discard', { incidents: [] });
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
});

test('a rate that is changed and changed back at once leaves the copy going', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.updateAtOnce(
		['setPolicy', { ...asked, policy: { maxRateBytes: 5 } }],
		['setPolicy', { ...asked, policy: { maxRateBytes: 0 } }],
	);
	assert.equal((await statusOf(run)).parked, null);
	assert.equal(run.pending('migrateChunks').input['maxRateBytes'], 0);
});
