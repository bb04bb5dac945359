import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { heldLeaseSchema, requestIdOf } from '../../model/broker.ts';
import { recoveryRequestSchema } from '../../model/recovery.ts';
import { testHostId } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { kvm2, startWaiting, statusOf } from './pool-run.ts';
import { asked } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

/** It has its place on kvm1, which then says that it cannot have it. */
async function refusedBy(step: 'reserve' | 'allocate', code: string) {
	const { run, broker } = await startWaiting(sandbox);
	await broker.grant(run, 'kvm1');
	if (step === 'allocate') {
		await run.complete('reserve');
		await run.complete('chooseHardware', sampleHardware);
		await run.complete('pin');
	}
	await run.fail(step, code, 'not here');
	if (code !== 'host_busy') await run.complete('undo', { wasHere: step === 'allocate' });
	await broker.hear(run);
	return { run, broker };
}

/** Where something was undone, and whether the recovery left that host. */
const undone = (run: SandboxRun) =>
	run.scheduled
		.filter(({ type }) => type === 'undo')
		.map(({ taskQueue, input }) => [taskQueue, input['left'] === true]);

test('a recovery over a pool is asked for on all its hosts, and runs on the one that is granted', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.hear(run);
	assert.deepEqual(broker.last().hosts, ['kvm1', 'kvm2']);
	assert.deepEqual([statusOf(run).host, run.attributes['RouseHost']], [null, undefined]);
	await broker.grant(run, 'kvm2');
	const { taskQueue, input } = run.pending('reserve');
	assert.deepEqual([taskQueue, input['hostId']], [`host-${kvm2}`, kvm2]);
	assert.equal(recoveryRequestSchema.parse(input['request']).host, 'kvm2');
	assert.equal(heldLeaseSchema.parse(input['lease']).host, 'kvm2');
	await run.complete('reserve');
	assert.deepEqual([statusOf(run).host, run.attributes['RouseHost']], ['kvm2', 'kvm2']);
	assert.equal(recoveryRequestSchema.parse(run.memo['request']).hostId, kvm2);
});

test('`hostReport` of a host of the pool on which a recovery does not run changes nothing', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.grant(run, 'kvm2');
	await run.complete('reserve');
	const recoveryId = statusOf(run).recoveryId;
	const report = { recoveryId, power: 'crashed', blocked: null, incidents: [] };
	await run.signal('hostReport', { ...report, hostId: testHostId });
	assert.equal(statusOf(run).power, 'off');
	await run.signal('hostReport', { ...report, hostId: kvm2 });
	assert.equal(statusOf(run).power, 'crashed');
});

for (const code of ['host_busy', 'precheck_failed', 'config_invalid'])
	test(`a host of a pool that refuses the place by ${code} is left out of the next request`, async () => {
		const { run, broker } = await refusedBy('reserve', code);
		await broker.hear(run);
		assert.deepEqual(broker.steps(), ['run']);
		assert.deepEqual([broker.last().step, broker.last().hosts], ['run-2', ['kvm2']]);
		await broker.grant(run, 'kvm2');
		assert.equal(run.pending('reserve').taskQueue, `host-${kvm2}`);
		assert.equal(statusOf(run).failure, null);
	});

test('a host of a pool without room for the disks has nothing of the recovery before another one is asked', async () => {
	const { run, broker } = await refusedBy('allocate', 'space_short');
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await run.complete('reserve');
	assert.deepEqual(undone(run), [[`host-${testHostId}`, true]]);
	assert.ok(!run.scheduled.some(({ type }) => type === 'unpin'), 'it goes on by the same pin');
	const { taskQueue, input } = run.pending('chooseHardware');
	assert.deepEqual([taskQueue, JSON.stringify(input).includes('"hardware":null')], [`host-${kvm2}`, true]);
});

test('when no host of a pool will have it, all that they said is told', async () => {
	const { run, broker } = await refusedBy('reserve', 'precheck_failed');
	await broker.grant(run, 'kvm2');
	await run.fail('reserve', 'config_invalid', 'nor here');
	await run.complete('undo', { wasHere: false });
	await broker.hear(run);
	assert.deepEqual([run.failureCode, broker.steps()], ['config_invalid', ['run', 'run-2']]);
	assert.equal(statusOf(run).failure?.message, 'kvm1: not here; kvm2: nor here');
});

test('a host of a pool that was only busy is asked again when there is no other', async () => {
	const { run, broker } = await refusedBy('reserve', 'host_busy');
	await broker.grant(run, 'kvm2');
	await run.fail('reserve', 'precheck_failed', 'too small');
	await run.complete('undo', { wasHere: false });
	await broker.hear(run);
	await run.passTime(30_000);
	await broker.hear(run);
	assert.deepEqual([broker.last().step, broker.last().hosts], ['run-3', ['kvm1']]);
	assert.deepEqual(undone(run), [[`host-${kvm2}`, true]], 'one that is full has nothing of it');
});

test('a grant for a host that was left out goes back', async () => {
	const { run, broker } = await refusedBy('reserve', 'precheck_failed');
	await broker.grant(run, 'kvm1');
	await broker.hear(run);
	assert.deepEqual([broker.steps(), run.pendingTypes()], [['run', 'run-2'], []]);
});

test('`discard` of a recovery that no host has asks no host', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.hear(run);
	await run.update('discard', { ...asked, confirm: 'web01-r1' });
	await broker.hear(run);
	assert.deepEqual([run.closed, broker.steps(), statusOf(run).phase], ['completed', ['run'], 'discarded']);
	assert.ok(!run.scheduled.some(({ type }) => type === 'discard'));
});

test('a recovery that no host has is not given up, and says what is possible', async () => {
	const { run } = await startWaiting(sandbox);
	const { failure } = await run.update('abandon', { ...asked, confirm: 'web01-r1' });
	assert.equal(failure?.code, 'phase_wrong');
});

test('one of which the broker does not know whether it is over asks as of now, and as before where it was reset', async () => {
	const { run, broker } = await startWaiting(sandbox);
	const events = run.activations.length;
	await broker.hear(run);
	const asBefore = broker.last().sinceMs;
	await run.passTime(60_000);
	await broker.refuse(run, 'may_be_over');
	await broker.hear(run);
	assert.deepEqual([broker.last().step, broker.last().sinceMs], ['run-2', run.nowMs]);
	await broker.grant(run, 'kvm2');
	assert.equal(run.pending('reserve').taskQueue, `host-${kvm2}`);

	const reset = await sandbox.cutBack(run, events);
	const later = new SandboxBroker();
	await later.hear(reset);
	await reset.passTime(60_000);
	await later.refuse(reset, 'may_be_over');
	await later.hear(reset);
	assert.deepEqual([later.last().step, later.last().sinceMs], ['run-2', asBefore]);
	await later.refuse(reset, 'may_be_over');
	assert.deepEqual([reset.failureCode, reset.pendingTypes()], ['place_unknown', []]);
});

test('a recovery whose place was taken away before its host had answered asks for that host alone', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.grant(run, 'kvm1');
	run.suggestContinueAsNew = true;
	await run.signal('leaseRevoked', { requestId: requestIdOf(broker.last()), by: 'ann', reason: 'stuck' });
	const next = await sandbox.goOn(run);
	await broker.hear(next);
	assert.deepEqual([broker.last().step, broker.last().hosts], ['run-2', ['kvm1']]);
});

test('a put-back history over a pool does not begin a second time elsewhere', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.refuse(run, 'lease_ended');
	assert.deepEqual([run.failureCode, run.scheduled.some(({ type }) => type === 'undo')], ['place_unknown', false]);
});
