import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as z from 'zod';
import type { BrokerView } from '../../model/broker-view.ts';
import { type Grant, grantSchema, type LeaseRequest, requestIdOf } from '../../model/broker.ts';
import { hostIdOf, leaseRequest, nameOf } from '../equipment/broker-site.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const minute = 60_000;
const hostId = hostIdOf('host/kvm1');
const onHost = { hosts: ['kvm1'], onHost: { recoveries: 1 } };
const one = leaseRequest('one', onHost);
const two = leaseRequest('two', onHost);

function report(number: number, total = 1) {
	return { reporter: 'host/kvm1', hostId, number, resources: { recoveries: { total, outside: 0 } }, held: [] };
}

async function rebuiltBroker(): Promise<SandboxRun> {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1'] }]);
	await run.signal('capacityReport', report(1));
	await run.complete('heldLeases', []);
	return run;
}

/** `one` holds the only place, `two` waits. */
async function contended(): Promise<SandboxRun> {
	const run = await rebuiltBroker();
	await run.signalAtOnce('acquire', [[one], [two]]);
	await deliver(run);
	return run;
}

const deliverySchema = z.object({ grants: z.array(grantSchema) });

function grantsOf(run: SandboxRun): Grant[] {
	const deliveries = run.open.filter(({ type }) => type === 'deliverGrants');
	return deliveries.flatMap(({ input }) => deliverySchema.parse(input).grants);
}

/** All that is under way has arrived, but at nobody for these. */
function deliver(run: SandboxRun, ...toNobody: LeaseRequest[]): Promise<void> {
	return run.complete('deliverGrants', { nobody: toNobody.map(requestIdOf), once: true });
}

/** What is under way to holders. */
function told(run: SandboxRun): string[] {
	const said = run.outside.sent.map(({ workflowId, signal }) => `${signal} ${workflowId}`);
	return [...said, ...grantsOf(run).map(({ workflowId }) => `leaseGranted ${workflowId}`)];
}

async function viewOf(run: SandboxRun): Promise<{ held: string[]; waiting: string[]; rebuilding: boolean }> {
	const view = (await run.query('view')) as BrokerView;
	return {
		held: view.leases.map(({ requestId }) => nameOf(requestId)),
		waiting: view.waiting.map(({ requestId }) => nameOf(requestId)),
		rebuilding: view.rebuilding !== null,
	};
}

function releaseOf(request: LeaseRequest) {
	return { requestId: requestIdOf(request), stays: null };
}

test('`broker` grants nothing before it is rebuilt, then tells the holder host and token', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1'] }]);
	await run.signal('acquire', one);
	await run.signal('capacityReport', report(1));
	assert.deepEqual([told(run), await viewOf(run)], [[], { held: [], waiting: ['one'], rebuilding: true }]);
	await run.complete('heldLeases', []);
	assert.deepEqual(grantsOf(run), [
		{ workflowId: 'recovery/one', requestId: requestIdOf(one), host: 'kvm1', token: run.nowMs },
	]);
});

test('`broker` takes up what the open recoveries hold', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1'] }]);
	await run.signal('capacityReport', report(1));
	await run.signal('acquire', two);
	await run.complete('heldLeases', [{ request: one, host: 'kvm1', token: 5 }]);
	assert.deepEqual([told(run), await viewOf(run)], [[], { held: ['one'], waiting: ['two'], rebuilding: false }]);
});

test('`broker` gives a grant that met nobody to the next', async () => {
	const run = await rebuiltBroker();
	await run.signalAtOnce('acquire', [[one], [two]]);
	await deliver(run, one);
	assert.deepEqual(told(run), ['leaseGranted recovery/two']);
});

test('`broker` tells the grants of one round by one activity, and gives those that met nobody to the next', async () => {
	const run = await rebuiltBroker();
	await run.signal('capacityReport', report(2, 2));
	const three = leaseRequest('three', onHost);
	await run.signalAtOnce('acquire', [[one], [two], [three]]);
	assert.deepEqual(run.pendingTypes(), ['deliverGrants']);
	assert.deepEqual(
		grantsOf(run).map(({ workflowId, requestId }) => [workflowId, requestId]),
		[one, two].map(request => [request.holder.workflowId, requestIdOf(request)]),
	);
	run.suggestContinueAsNew = true;
	await run.signal('capacityReport', report(3, 2));
	assert.equal(run.closed, undefined, 'the grants are under way');
	await deliver(run, two);
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	assert.deepEqual(
		[await viewOf(next), told(next)],
		[{ held: ['one', 'three'], waiting: [], rebuilding: false }, ['leaseGranted recovery/three']],
	);
});

test('`broker` asks holders and hosts each minute while somebody waits, and goes on when nobody answers', async () => {
	const run = await contended();
	assert.equal(run.outside.timers.size, 1);
	await run.passTime(minute);
	assert.deepEqual(run.pending('closedHolders').input, { holders: [one.holder, two.holder] });
	await run.fail('closedHolders', 'temporal_unreachable');
	await run.passTime(minute);
	await run.complete('closedHolders', [one.holder]);
	const { input, taskQueue } = run.pending('leasesGone');
	assert.deepEqual([input, taskQueue], [{ hostId, requestIds: [requestIdOf(one)] }, `host-${hostId}`]);
	await run.complete('leasesGone', []);
	assert.deepEqual(await viewOf(run), { held: ['one'], waiting: ['two'], rebuilding: false });
	await run.passTime(minute);
	await run.complete('leasesGone', [requestIdOf(one)]);
	assert.deepEqual(told(run), ['leaseGranted recovery/two']);
});

test('`broker` that nobody reports to grants what needs no report two minutes after it began', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1', 'repository/main'] }]);
	await run.complete('heldLeases', []);
	await run.signal('capacityReport', {
		...report(1),
		reporter: 'repository/main',
		resources: { mounts: { total: 1, outside: 0 } },
	});
	await run.signal('acquire', leaseRequest('reader', { shared: { 'repository/main/mounts': 1 } }));
	await run.passTime(minute);
	await run.complete('closedHolders', []);
	assert.deepEqual(told(run), []);
	await run.passTime(minute);
	assert.deepEqual(told(run), ['leaseGranted recovery/reader']);
});

test('`broker` starts no timer for a message, and none while nobody waits', async () => {
	const run = await rebuiltBroker();
	await run.signal('acquire', one);
	assert.equal(run.outside.timers.size, 0);
	await run.signal('acquire', two);
	const timers = [...run.outside.timers];
	assert.equal(timers.length, 1);
	for (let number = 2; number < 6; number += 1) await run.signal('capacityReport', report(number));
	assert.deepEqual([...run.outside.timers], timers);
});

test('`broker` continues as new when nothing is under way, and the next run knows all', async () => {
	const run = await rebuiltBroker();
	await run.signalAtOnce('acquire', [[one], [two]]);
	run.suggestContinueAsNew = true;
	await run.signal('acquire', leaseRequest('three', onHost));
	assert.equal(run.closed, undefined, 'the grant is under way');
	await deliver(run);
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	assert.deepEqual(await viewOf(next), { held: ['one'], waiting: ['two', 'three'], rebuilding: false });
	assert.deepEqual(next.pendingTypes(), []);
	await next.signal('release', releaseOf(one));
	assert.deepEqual(told(next), ['leaseGranted recovery/two']);
});

test('`broker` continues as new when a worker of another version takes over, and loses nothing', async () => {
	const run = await rebuiltBroker();
	await run.signal('acquire', one);
	await deliver(run);
	await run.signal('capacityReport', report(2));
	assert.equal(run.closed, undefined);
	run.buildId = 'two';
	await run.signal('acquire', two);
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	assert.deepEqual(await viewOf(next), { held: ['one'], waiting: ['two'], rebuilding: false });
});

test('`broker` does not wait for a host that does not answer before it continues as new, and the next run asks again', async () => {
	const run = await contended();
	await run.passTime(minute);
	await run.complete('closedHolders', [one.holder]);
	assert.deepEqual(run.pendingTypes(), ['leasesGone']);
	run.suggestContinueAsNew = true;
	await run.signal('capacityReport', report(2));
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	await next.signal('capacityReport', report(3, 2));
	assert.deepEqual(told(next), ['leaseGranted recovery/two']);
	await deliver(next);
	await next.signal('acquire', leaseRequest('three', onHost));
	await next.passTime(2 * minute);
	assert.deepEqual(next.pending('leasesGone').input, { hostId, requestIds: [requestIdOf(one)] });
});

test('`broker` that is not told what is held asks again, and grants nothing before', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1'] }]);
	await run.signal('capacityReport', report(1));
	await run.signal('acquire', one);
	await run.fail('heldLeases', 'internal');
	assert.deepEqual([run.pendingTypes(), told(run)], [[], []]);
	await run.passTime(minute / 2);
	await run.complete('heldLeases', []);
	assert.deepEqual(told(run), ['leaseGranted recovery/one']);
});

test('`broker` that has not heard what is held asks again in the next run', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1'] }]);
	run.suggestContinueAsNew = true;
	await run.signal('capacityReport', report(1));
	assert.equal(run.closed, 'continued');
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	assert.deepEqual(next.pendingTypes(), ['heldLeases']);
});

test('`broker` that has heard what is held, but not all reports, goes on waiting for these alone in the next run', async () => {
	const run = await sandbox.start('broker', [{ reporters: ['host/kvm1', 'host/kvm2'] }]);
	await run.complete('heldLeases', []);
	run.suggestContinueAsNew = true;
	await run.signal('capacityReport', report(1));
	const next = await sandbox.start('broker', run.nextArguments ?? []);
	await next.signal('acquire', one);
	assert.deepEqual([next.pendingTypes(), told(next)], [[], []]);
	await next.signal('capacityReport', { ...report(1), reporter: 'host/kvm2' });
	assert.deepEqual(told(next), ['leaseGranted recovery/one']);
});

test('`setTotal`, `prioritize`, `forget` and `forceRelease` are obeyed, or refused with a code', async () => {
	const run = await contended();
	await run.signal('acquire', leaseRequest('three', onHost));
	const requestId = requestIdOf(leaseRequest('three', onHost));
	await run.update('prioritize', { ...asked, requestId, priority: 1, deadlineMs: null });
	await run.update('setTotal', { ...asked, resource: 'host/kvm1/recoveries', total: 2 });
	assert.deepEqual(told(run), ['leaseGranted recovery/three']);
	await deliver(run);
	await run.update('forceRelease', { ...asked, requestId: requestIdOf(one) });
	assert.deepEqual(told(run), ['leaseRevoked recovery/one', 'leaseGranted recovery/two']);
	await run.update('forget', { ...asked, reporter: 'host/kvm1' });
	const refused = [
		['forceRelease', { ...asked, requestId: requestIdOf(one) }, 'phase_wrong'],
		['prioritize', { ...asked, requestId, priority: 1, deadlineMs: null }, 'phase_wrong'],
		['prioritize', { ...asked, requestId, priority: 9, deadlineMs: null }, 'input_invalid'],
		['setTotal', { ...asked, resource: 'kvm1', total: 2 }, 'input_invalid'],
		['forceRelease', { by: 'ann', requestId }, 'input_invalid'],
		['forget', { ...asked, reporter: 'kvm1' }, 'input_invalid'],
	] as const;
	for (const [name, order, code] of refused) {
		const { accepted, failure } = await run.update(name, order);
		assert.deepEqual([accepted, failure?.code], [false, code], name);
	}
});

test('`broker` leaves out a message that it cannot read, and cannot be cancelled', async () => {
	const run = await contended();
	await run.signal('acquire', { ...two, priority: 0 });
	await run.signal('release', { requestId: 5 });
	await run.signal('capacityReport', {});
	assert.equal(run.logged.length, 3);
	await run.cancel();
	assert.equal(run.closed, undefined);
	await run.signal('release', releaseOf(one));
	assert.deepEqual(told(run), ['leaseGranted recovery/two']);
});

test('`broker` grants nothing on a host of which a recovery says that it is away, and leaves out such a word that it cannot read', async () => {
	const run = await rebuiltBroker();
	await run.signal('hostAway', { host: 'kvm1' });
	await run.signal('hostAway', { host: 'kvm1', seenBy: 'recovery/web01-r1' });
	const view = (await run.query('view')) as { away: unknown };
	assert.deepEqual(view.away, [{ reporter: 'host/kvm1', sinceMs: run.nowMs, seenBy: 'recovery/web01-r1' }]);
});

test('`broker` of an older worker does not go on with newer state', async () => {
	const run = await rebuiltBroker();
	run.suggestContinueAsNew = true;
	await run.signal('capacityReport', report(2));
	const [input] = run.nextArguments as [{ reporters: string[]; state: object }];
	await assert.rejects(
		sandbox.start('broker', [{ ...input, state: { ...input.state, version: 3 } }]),
		/the workflow task failed: .*version 3/,
	);
});
