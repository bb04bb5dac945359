/** Orders that the host carries out: late ones, several at once, and those that something overtakes. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));
const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;
const power = (action: string): [string, object] => ['power', { ...asked, action }];

async function startWithLate(action: string): Promise<SandboxRun> {
	const { run } = await startRunning(sandbox);
	await run.update(...power(action));
	await run.timeOut('power');
	return run;
}

test('`power` that is late is answered as accepted and not carried out yet, and is carried out', async () => {
	const run = await startWithLate('off');
	const { failure } = run.outcome();
	assert.equal(failure?.code, 'worker_missing');
	assert.match(failure.message, /^accepted, not carried out yet: power: .*ScheduleToClose/);
	assert.equal(run.pending('power').input['action'], 'off');
	await run.complete('power', { power: 'off' });
	assert.equal((await statusOf(run)).power, 'off');
	assert.deepEqual(run.pendingTypes(), []);
});

test('`power` that is late is taken back by a later one, and by a discard', async () => {
	const run = await startWithLate('off');
	const late = run.pending('power');
	await run.update(...power('on'));
	assert.ok(run.cancelled.has(late.seq));
	const { action, order } = run.pending('power').input;
	assert.equal(action, 'on');
	assert.ok(Number(order) > Number(late.input['order']));
	await run.timeOut('power');
	await run.update('discard', { ...asked, confirm: (await statusOf(run)).name });
	assert.deepEqual(run.pendingTypes(), ['discard']);
});

test('`power` that a later one has overtaken on its way is not carried out afterwards', async () => {
	const { run } = await startRunning(sandbox);
	await run.updateAtOnce(power('off'), power('on'));
	const [first, second] = run.open;
	assert.ok(first && second);
	await run.completeActivity(second, { power: 'on' });
	await run.failActivity(first, { code: 'generation_stale', message: 'taken back by a later order' });
	assert.equal(run.outcome('update-1').failure?.code, 'generation_stale');
	assert.ok(run.outcome('update-2').result);
	assert.equal((await statusOf(run)).power, 'on');
	assert.deepEqual(run.pendingTypes(), []);
});

test('`power` has a higher number than what its host was ordered before, also by a clock that is ahead', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	const powerOrder = run.nowMs + 300_000;
	await run.signal('hostReport', { recoveryId, power: 'off', blocked: null, powerOrder, incidents: [] });
	await run.update(...power('on'));
	assert.ok(Number(run.pending('power').input['order']) > powerOrder);
});

test('`power` that is late goes on in the run after continue-as-new', async () => {
	const run = await startWithLate('reset');
	const { order } = run.pending('power').input;
	run.suggestContinueAsNew = true;
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('recovery', run.nextArguments ?? []);
	assert.deepEqual([next.pending('power').input['action'], next.pending('power').input['order']], ['reset', order]);
	await next.complete('power', { power: 'on' });
	await next.update(...power('off'));
	assert.ok(Number(next.pending('power').input['order']) > Number(order));
});

test('`power` is taken while the switch cannot be carried on, and the finish waits for what is late', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await run.fail('switchToTarget', 'space_short');
	assert.equal((await run.update(...power('on'))).accepted, true);
	await run.timeOut('power');
	await run.update('retry', asked);
	await run.complete('retry');
	await run.complete('switchToTarget', { pauseMs: 1 });
	assert.deepEqual(run.pendingTypes(), ['power']);
	await run.complete('power', { power: 'on' });
	assert.deepEqual(run.pendingTypes(), ['finalize']);
});

test('`retry` of what the host reports is asked again when a step has overtaken it', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { recoveryId } = await statusOf(run);
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry' } };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [] });
	await run.update('retry', asked);
	await run.fail('migrateChunks', 'generation_stale');
	await run.fail('retry', 'generation_stale');
	const { generation } = run.pending('migrateChunks').input;
	assert.equal(run.pending('retry').input['generation'], generation, 'it overtakes in its turn');
	await run.complete('retry');
	assert.ok(run.outcome().result);
});
