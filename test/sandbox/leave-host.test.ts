/** A host of a pool that does not answer before power-on. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type HeldLease, heldLeaseSchema } from '../../model/broker.ts';
import { testHostId } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import type { StartedChild } from '../equipment/sandbox-outside.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { beforePowerOn, bringTo, kvm2, leave, type PoolRun, startWaiting, statusOf } from './pool-run.ts';
import { asked } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

/** It has its place on kvm1, which does not answer at this step. */
async function left(step: (typeof beforePowerOn)[number] = 'reserve'): Promise<PoolRun & { child: StartedChild }> {
	const pooled = await startWaiting(sandbox);
	await pooled.broker.grant(pooled.run, 'kvm1');
	await bringTo(pooled.run, step);
	await pooled.run.timeOut(step);
	return { ...pooled, child: await leave(pooled) };
}

const undoneBy = ({ input }: StartedChild) => {
	const { recoveryId, hostId, generation } = input as { recoveryId: string; hostId: string; generation: number };
	return { recoveryId, hostId, generation };
};

const leasesOf = (run: SandboxRun): HeldLease[] => heldLeaseSchema.array().parse(run.memo['leases']);

for (const step of beforePowerOn.filter(each => each !== 'pin'))
	test(`a host that does not answer at \`${step}\` is left: it is owed an undo, and another one is asked`, async () => {
		const { run, broker, child } = await left(step);
		const askedBefore = Number(run.scheduled.findLast(({ type }) => type === step)?.input['generation']);
		assert.deepEqual([child.type, child.onClose, undoneBy(child).hostId], ['owedUndo', 2, testHostId]);
		assert.ok(undoneBy(child).generation > askedBefore, 'whatever was asked there is older');
		assert.deepEqual(run.pendingTypes(), [], 'nothing more is asked of the host');
		await broker.hear(run);
		assert.deepEqual([broker.away, broker.steps(), broker.last().hosts], [['kvm1'], [], ['kvm2']]);
		await broker.grant(run, 'kvm2');
		await bringTo(run, 'powerOn');
		const { taskQueue, input } = run.pending('powerOn');
		assert.deepEqual([taskQueue, statusOf(run).host], [`host-${kvm2}`, 'kvm2']);
		assert.ok(Number(input['generation']) > undoneBy(child).generation);
	});

test('the lease of a host that was left comes back when the host has nothing any more', async () => {
	const { run, broker, child } = await left();
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await bringTo(run, 'powerOn');
	assert.deepEqual(
		leasesOf(run).map(({ host }) => host),
		['kvm2', 'kvm1'],
	);
	await run.signal('undone', { ...undoneBy(child), generation: 1 });
	await run.signal('undone', { ...undoneBy(child), recoveryId: kvm2 });
	await broker.hear(run);
	assert.deepEqual(broker.steps(), [], 'of another leave, or another recovery');
	await run.signal('undone', undoneBy(child));
	await broker.hear(run);
	assert.deepEqual([broker.steps(), leasesOf(run).map(({ host }) => host)], [['run'], ['kvm2']]);
	await run.signal('undone', undoneBy(child));
	assert.deepEqual(run.outside.sent, []);
});

test('a host that was left is asked again when it has nothing any more, at once when others are full', async () => {
	const { run, broker, child } = await left();
	await broker.hear(run);
	assert.deepEqual([broker.last().step, broker.last().hosts], ['run-2', ['kvm2']]);
	await run.signal('undone', undoneBy(child));
	for (let turn = 0; turn < 3; turn += 1) await broker.hear(run);
	assert.deepEqual([broker.last().step, broker.last().hosts], ['run-3', ['kvm1', 'kvm2']]);
	assert.deepEqual(broker.steps(), ['run', 'run-2']);
	await broker.grant(run, 'kvm1');
	assert.equal(run.pending('reserve').taskQueue, `host-${testHostId}`);
});

test('when all hosts of a pool were left, the recovery waits for the first that has nothing any more', async () => {
	const pooled = await left();
	const { run, broker } = pooled;
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await run.timeOut('reserve');
	const second = await leave(pooled);
	const askedFor = broker.asked.length;
	await run.passTime(24 * 60 * 60_000);
	await broker.hear(run);
	assert.deepEqual([broker.asked.length, run.closed, run.outside.timers.size], [askedFor, undefined, 0]);
	await run.signal('undone', undoneBy(second));
	await broker.hear(run);
	assert.deepEqual([broker.steps(), broker.last().hosts], [['run-2'], ['kvm2']]);
});

test('what a host is owed, and its lease, go over continue-as-new', async () => {
	const { run, broker, child } = await left();
	await broker.hear(run);
	run.suggestContinueAsNew = true;
	const { recoveryId } = statusOf(run);
	await run.signal('hostReport', { recoveryId, power: 'off', blocked: null, incidents: [] });
	assert.equal(run.closed, 'continued');
	const next = await sandbox.goOn(run);
	assert.deepEqual(next.outside.children, []);
	await broker.hear(next);
	assert.deepEqual([broker.last().hosts, leasesOf(next).map(({ host }) => host)], [['kvm2'], ['kvm1']]);
	await next.signal('undone', undoneBy(child));
	assert.ok(next.outside.sent.some(({ signal }) => signal === 'release'));
});

test('a recovery ends while an undo is still owed', async () => {
	const { run, broker } = await left();
	await broker.hear(run);
	await run.update('discard', { ...asked, confirm: 'web01-r1' });
	await broker.hear(run);
	assert.deepEqual([run.closed, statusOf(run).phase, broker.steps()], ['completed', 'discarded', ['run-2']]);
});

test('a machine that a host which was left may have is powered on nowhere else before somebody has looked', async () => {
	const { run, broker, child } = await left('allocate');
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await run.signal('undone', { ...undoneBy(child), refusal: { code: 'power_on_scheduled', message: 'it ran' } });
	await bringTo(run, 'powerOn');
	assert.deepEqual([run.pendingTypes(), statusOf(run).parked?.code], [[], 'power_on_scheduled']);
	assert.match(statusOf(run).parked?.reason ?? '', /host kvm1, which was left: it ran/);
	assert.ok(!broker.steps().includes('run'), 'its lease covers what may run');
	await run.update('retry', asked);
	assert.equal(run.pending('powerOn').taskQueue, `host-${kvm2}`);
});

test('a machine that a host which was left may have too is told of at once when it runs elsewhere by then', async () => {
	const { run, broker, child } = await left('allocate');
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await bringTo(run, 'powerOn');
	await run.complete('powerOn');
	await run.signal('undone', { ...undoneBy(child), refusal: { code: 'power_on_scheduled', message: 'it ran' } });
	const { phase, parked } = statusOf(run);
	assert.deepEqual([phase, parked?.code], ['running', 'power_on_scheduled']);
	await run.update('migrate', asked);
	assert.deepEqual(run.pendingTypes(), [], 'nothing is done before somebody has looked');
	await run.update('retry', asked);
	assert.equal(run.pending('retry').taskQueue, `host-${kvm2}`);
});

test('a copy pauses where a host that was left turns out to have the machine too', async () => {
	const { run, broker, child } = await left('allocate');
	await broker.grant(run, 'kvm2');
	await bringTo(run, 'powerOn');
	await run.complete('powerOn');
	await run.update('migrate', asked);
	await broker.grant(run);
	run.pending('migrateChunks');
	await run.signal('undone', { ...undoneBy(child), refusal: { code: 'power_on_scheduled', message: 'it ran' } });
	assert.deepEqual([statusOf(run).parked?.code, run.pendingTypes()], ['power_on_scheduled', ['pauseMigration']]);
	await run.complete('pauseMigration');
	await broker.hear(run);
	assert.ok(broker.steps().includes('migrate'));
	await run.update('retry', asked);
	await broker.grant(run);
	run.pending('migrateChunks');
});

test('when no other host is left, what one that was left will not undo is parked there, with its lease', async () => {
	const { run, broker, child } = await left('allocate');
	await broker.grant(run, 'kvm2');
	await run.fail('reserve', 'precheck_failed', 'too small');
	await run.complete('undo', { wasHere: false });
	await broker.hear(run);
	const askedFor = broker.asked.length;
	await run.signal('undone', { ...undoneBy(child), refusal: { code: 'power_on_scheduled', message: 'it ran' } });
	const { host, parked } = statusOf(run);
	assert.deepEqual([host, parked?.code, run.pendingTypes()], ['kvm1', 'power_on_scheduled', []]);
	await run.update('retry', asked);
	await broker.hear(run);
	const { taskQueue, input } = run.pending('reserve');
	assert.deepEqual([taskQueue, heldLeaseSchema.parse(input['lease']).request.step], [`host-${testHostId}`, 'run']);
	assert.deepEqual([broker.asked.length, broker.steps()], [askedFor, ['run-2']]);
});

test('a recovery that no host has ends while its repository is away, and tells of the pin that is left', async () => {
	const { run, broker } = await left('allocate');
	await broker.hear(run);
	await run.update('discard', { ...asked, confirm: 'web01-r1' });
	await broker.hear(run);
	await run.fail('unpin', 'store_unreachable');
	assert.deepEqual([run.closed, statusOf(run).phase], ['completed', 'discarded']);
	assert.deepEqual(
		statusOf(run).incidents.map(({ kind }) => kind),
		['pin_left'],
	);
});

test('a host that has told that the machine has power is not left: the history was put back', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.grant(run, 'kvm1');
	const { recoveryId } = statusOf(run);
	await run.signal('hostReport', { recoveryId, hostId: testHostId, power: 'on', blocked: null, incidents: [] });
	await bringTo(run, 'allocate');
	const limits = run.pending('allocate').scheduleToStartMs;
	await run.complete('allocate');
	assert.deepEqual([limits, run.pending('createMachine').scheduleToStartMs], [0, 0], 'it is waited for');
});

test('a host is given a time before power-on as long as another one may have it, and none from power-on on', async () => {
	const { run, broker } = await startWaiting(sandbox);
	await broker.grant(run, 'kvm1');
	const limits: number[] = [];
	for (const step of beforePowerOn) {
		if (step !== 'pin') limits.push(run.pending(step).scheduleToStartMs);
		await run.complete(step, step === 'chooseHardware' ? sampleHardware : undefined);
	}
	assert.deepEqual(limits, [30_000, 60_000, 60_000, 60_000, 60_000, 60_000]);
	assert.equal(run.pending('powerOn').scheduleToStartMs, 0);
});

test('a host that dies while it undoes what goes elsewhere is owed the undo', async () => {
	const pooled = await startWaiting(sandbox);
	const { run, broker } = pooled;
	await broker.grant(run, 'kvm1');
	await bringTo(run, 'allocate');
	await run.fail('allocate', 'space_short', 'not here');
	await run.timeOut('undo');
	const child = await leave(pooled);
	await broker.hear(run);
	assert.deepEqual([undoneBy(child).hostId, broker.steps(), broker.last().hosts], [testHostId, [], ['kvm2']]);
});

test('a host that was left and is given up for good is not asked again, and its lease comes back', async () => {
	const { run, broker, child } = await left();
	await broker.hear(run);
	assert.deepEqual([broker.last().step, broker.last().hosts], ['run-2', ['kvm2']]);
	await run.signal('undone', { ...undoneBy(child), givenUp: { by: 'ann', reason: 'burnt' } });
	await broker.hear(run);
	assert.deepEqual([broker.steps(), broker.last().step, leasesOf(run)], [['run'], 'run-2', []]);
	await broker.grant(run, 'kvm2');
	await run.fail('reserve', 'precheck_failed', 'too small');
	await run.complete('undo', { wasHere: false });
	await broker.hear(run);
	assert.deepEqual([run.closed, run.failureCode], ['failed', 'precheck_failed']);
	assert.match(statusOf(run).failure?.message ?? '', /kvm1: it was left, and given up by ann: burnt; kvm2: too small/);
});

test('a recovery that waits for the last host of its pool fails when that is given up', async () => {
	const pooled = await left();
	const { run, broker, child } = pooled;
	await broker.hear(run);
	await broker.grant(run, 'kvm2');
	await run.timeOut('reserve');
	const second = await leave(pooled);
	await run.signal('undone', { ...undoneBy(child), givenUp: { by: 'ann' } });
	await broker.hear(run);
	assert.equal(run.closed, undefined);
	await run.signal('undone', { ...undoneBy(second), givenUp: { by: 'ann' } });
	await broker.hear(run);
	assert.deepEqual([run.closed, run.failureCode, broker.steps()], ['failed', 'worker_missing', ['run', 'run-2']]);
	assert.equal(
		statusOf(run).failure?.message,
		'kvm1: it was left, and given up by ann; kvm2: it was left, and given up by ann',
	);
});
