import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import * as z from 'zod';
import { heldLeaseSchema, leaseRequestSchema, requestIdOf } from '../../model/broker.ts';
import type { RecoveryRequest } from '../../model/recovery.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { copying, heldSteps, hostReport, memoHeld, memoPhase, memoStatus, running, waiting } from './lease-run.ts';
import { asked, nobodyAnswers } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const minutes = 60_000;
const startWaiting = (changes: Partial<RecoveryRequest> = {}) => waiting(sandbox, changes);
const startRunning = (changes: Partial<RecoveryRequest> = {}) => running(sandbox, changes);
const startCopying = (changes: Partial<RecoveryRequest> = {}) => copying(sandbox, changes);

test('a recovery asks for a place on its host, reserves it with the lease, and tells in its memo what it holds', async () => {
	const { run, broker } = await startWaiting({ priority: 1, deadline: '2026-11-20T04:00:00.000Z' });
	await broker.hear(run);
	const { holder, step, shared, hosts, onHost, lasting, priority, deadlineMs } = broker.last();
	assert.deepEqual(holder, { workflowId: 'recovery/web01-r1', firstRunId: run.runId });
	assert.deepEqual({ step, shared, hosts }, { step: 'run', shared: { 'repository/main/mounts': 1 }, hosts: ['local'] });
	assert.deepEqual(onHost, { recoveries: 1, memoryMiB: 64, vcpus: 1 });
	assert.deepEqual(lasting, ['memoryMiB', 'vcpus']);
	assert.deepEqual([priority, deadlineMs], [1, Date.parse('2026-11-20T04:00:00.000Z')]);
	assert.deepEqual(run.pendingTypes(), [], 'its host is not asked before');
	await broker.grant(run);
	const lease = heldLeaseSchema.parse(run.pending('reserve').input['lease']);
	assert.deepEqual([lease.host, lease.token, lease.request.step], ['local', 1, 'run']);
	await run.complete('reserve');
	assert.deepEqual(heldSteps(run), ['run']);
});

test('a migration begins with its stream, gives it back when all is local, and the place goes back at the finish', async () => {
	const { run, broker } = await startRunning();
	await run.update('migrate', asked);
	await broker.hear(run);
	assert.deepEqual([memoPhase(run), run.pendingTypes()], ['running', []], 'nothing is copied before the grant');
	assert.deepEqual(broker.last().shared, { 'repository/main/streams': 1 });
	assert.deepEqual(broker.last().onHost, { migrations: 1 });
	await broker.grant(run);
	assert.deepEqual([memoPhase(run), heldSteps(run)], ['migrating', ['run', 'migrate']]);
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await broker.hear(run);
	assert.deepEqual([broker.steps(), heldSteps(run)], [['migrate'], ['run']]);
	await run.complete('switchToTarget', { pauseMs: 5 });
	await run.complete('finalize', { incidents: [], afterReport: 17 });
	await broker.hear(run);
	const stays = { onHost: { memoryMiB: 64, vcpus: 1 }, afterReport: 17 };
	assert.deepEqual([broker.steps().at(-1), broker.released.at(-1)?.stays], ['run', stays]);
	await run.complete('unpin');
	assert.deepEqual([run.closed, memoHeld(run)], ['completed', []]);
});

test('a finished recovery that waits until its machine is ready does not tell a new broker that it holds its place', async () => {
	const readiness = { check: { by: 'ping', address: '10.0.0.5' }, timeoutMs: 60 * minutes } as const;
	const { run, broker } = await startCopying({ readiness });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await broker.hear(run);
	await run.complete('switchToTarget', { pauseMs: 5 });
	await run.complete('finalize', { incidents: [], afterReport: 17 });
	await broker.hear(run);
	await run.complete('unpin');
	assert.deepEqual([run.pendingTypes(), memoHeld(run)], [['checkReadiness'], []]);
});

test('where no broker is there it is started with the request', async () => {
	const { run, broker } = await startWaiting();
	broker.there = false;
	await broker.hear(run);
	const { step } = z.object({ step: z.string() }).parse(run.pending('askBroker').input['request']);
	assert.equal(step, 'run');
});

test('a recovery whose broker cannot be started asks again later', async () => {
	const { run, broker } = await startWaiting();
	broker.there = false;
	await broker.hear(run);
	await run.fail('askBroker', 'config_invalid');
	assert.deepEqual([run.closed, run.pendingTypes()], [undefined, []]);
	broker.there = true;
	await run.passTime(5 * minutes);
	await broker.hear(run);
	assert.equal(broker.last().step, 'run');
});

test('a recovery that waits asks again after five minutes, by the same request', async () => {
	const { run, broker } = await startWaiting();
	await broker.hear(run);
	await run.passTime(5 * minutes);
	await broker.hear(run);
	assert.equal(broker.asked.length, 2);
	assert.deepEqual(broker.asked[0], broker.asked[1]);
});

test('a full broker is asked again later, by another request of the same age', async () => {
	const { run, broker } = await startWaiting();
	await broker.refuse(run, 'broker_full');
	await broker.hear(run);
	assert.equal(broker.asked.length, 1);
	await run.passTime(15_000);
	await broker.hear(run);
	const [first, second] = broker.asked;
	assert.deepEqual([first?.step, second?.step, second?.sinceMs], ['run', 'run-2', first?.sinceMs]);
});

test('`discard` of a recovery that waits for its place withdraws the request before it waits for the host', async () => {
	const { run, request, broker } = await startWaiting();
	await broker.hear(run);
	await run.update('discard', { ...asked, confirm: request.name });
	await broker.hear(run);
	assert.deepEqual([broker.steps(), memoPhase(run)], [['run'], 'discarding']);
	await run.complete('discard', { incidents: [], wasHere: false });
	await broker.hear(run);
	assert.deepEqual([broker.steps(), memoPhase(run)], [['run'], 'discarded']);
});

test('`discard` of a recovery that waits for a stream withdraws that, and keeps its place until the host has discarded it', async () => {
	const { run, request, broker } = await startRunning();
	await run.update('migrate', asked);
	await broker.hear(run);
	await run.update('discard', { ...asked, confirm: request.name });
	await broker.hear(run);
	assert.deepEqual([broker.steps(), heldSteps(run)], [['migrate'], ['run']]);
	await run.complete('discard', { incidents: [], wasHere: true });
	await broker.hear(run);
	assert.deepEqual(broker.steps(), ['migrate', 'run']);
});

test('a lease that is granted while the workflow is being cancelled goes back', async () => {
	const { run, broker } = await startWaiting();
	await broker.hear(run);
	await run.cancel();
	await broker.grant(run);
	await broker.hear(run);
	assert.deepEqual([run.pendingTypes(), broker.steps()], [['undo'], ['run', 'run']], 'withdrawn, and given back');
	await run.complete('undo', { wasHere: false });
	assert.deepEqual([memoHeld(run), run.failureCode], [[], 'interrupted']);
});

test('a grant that comes when it was withdrawn goes back, and the workflow does not end before that', async () => {
	const { run, broker } = await startCopying();
	await run.fail('migrateChunks', 'io_failed');
	await run.complete('pauseMigration');
	await broker.hear(run);
	assert.deepEqual(broker.steps(), ['migrate']);
	await broker.grant(run);
	await broker.hear(run);
	assert.deepEqual(broker.steps(), ['migrate', 'migrate'], 'said again: it is harmless');
	assert.deepEqual(heldSteps(run), ['run']);
});

test('a grant that comes twice is one lease, with the later token', async () => {
	const { run, broker } = await startWaiting();
	await broker.grant(run);
	await broker.grant(run);
	await run.complete('reserve');
	await broker.hear(run);
	assert.deepEqual([heldSteps(run), broker.steps()], [['run'], []]);
});

test('words about another recovery of the name change nothing', async () => {
	const { run, broker } = await startWaiting();
	await broker.hear(run);
	await run.signal('leaseGranted', { requestId: 'recovery/web01-r1/earlier/run', host: 'local', token: 3 });
	await run.signal('leaseGranted', 'nothing that is understood');
	await broker.hear(run);
	assert.deepEqual([run.pendingTypes(), broker.steps()], [[], []]);
});

test('a step that fails before power-on gives the place back once the host has nothing of it any more', async () => {
	const { run, broker } = await startWaiting();
	await broker.grant(run);
	await run.complete('reserve');
	await run.fail('chooseHardware', 'precheck_failed');
	await broker.hear(run);
	assert.deepEqual(broker.steps(), [], 'not before the host has undone it');
	await run.complete('undo', { wasHere: true });
	await broker.hear(run);
	await run.complete('unpin');
	assert.deepEqual([broker.steps(), run.failureCode], [['run'], 'precheck_failed']);
});

test('what a host could not undo keeps its place: the broker asks that host', async () => {
	const { run, broker } = await startWaiting();
	await broker.grant(run);
	await run.complete('reserve');
	await run.fail('chooseHardware', 'precheck_failed');
	await run.fail('undo', 'io_failed');
	await broker.hear(run);
	assert.deepEqual([run.closed, broker.steps()], ['failed', []]);
});

test('a stream that a person takes away ends the copy, and parks the recovery', async () => {
	const { run, broker } = await startCopying();
	const { holder, step } = broker.last();
	const requestId = `${holder.workflowId}/${holder.firstRunId}/${step}`;
	await run.signal('leaseRevoked', { requestId, by: 'tester', reason: 'the line is full' });
	const { parked } = memoStatus(run);
	assert.deepEqual([parked?.code, run.pendingTypes()], ['lease_ended', ['pauseMigration']]);
	assert.match(parked?.reason ?? '', /tester took migrate away from it: the line is full/);
});

test('a place among those that wait which a person takes away ends the recovery', async () => {
	const { run, broker } = await startWaiting();
	await broker.hear(run);
	const { holder, step } = broker.last();
	const requestId = `${holder.workflowId}/${holder.firstRunId}/${step}`;
	await run.signal('leaseRevoked', { requestId, by: 'tester', reason: 'not today' });
	await run.complete('undo', { wasHere: false });
	assert.equal(run.failureCode, 'lease_ended');
});

test('a stream that a person has taken away is not held when its grant comes after that', async () => {
	const { run, broker } = await startRunning();
	await run.update('migrate', asked);
	const [request] = run.outside.sent.filter(({ signal }) => signal === 'acquire').slice(-1);
	const requestId = requestIdOf(leaseRequestSchema.parse(request?.message));
	await run.signal('leaseRevoked', { requestId, by: 'tester', reason: 'the line is full' });
	await run.signal('leaseGranted', { requestId, host: 'local', token: 2 });
	await broker.hear(run);
	assert.deepEqual([memoStatus(run).parked?.code, heldSteps(run), run.pendingTypes()], ['lease_ended', ['run'], []]);
	await broker.hear(run);
	assert.deepEqual(broker.steps(), ['migrate']);
});

test('a place that a person takes away while the machine runs leaves the machine as it is', async () => {
	const { run, broker } = await startRunning();
	const { holder, step } = broker.last();
	const requestId = `${holder.workflowId}/${holder.firstRunId}/${step}`;
	await run.signal('leaseRevoked', { requestId, by: 'tester', reason: 'a mistake' });
	assert.deepEqual([memoPhase(run), memoHeld(run), run.closed], ['running', [], undefined]);
});

test('the run after one that continued as new holds the same leases, and asks on by the same request', async () => {
	const { run, broker } = await startRunning();
	await run.update('migrate', asked);
	await broker.hear(run);
	run.suggestContinueAsNew = true;
	await run.signal('hostReport', hostReport(run, false));
	assert.equal(run.closed, 'continued');
	const next = await sandbox.goOn(run);
	await broker.hear(next);
	assert.deepEqual(broker.asked.at(-1), broker.asked.at(-2));
	await broker.grant(next);
	next.pending('migrateChunks');
	assert.deepEqual(heldSteps(next), ['run', 'migrate']);
	assert.deepEqual(broker.steps(), []);
});

test('a workflow whose history was put back asks by the same request', async () => {
	const { run, broker } = await startWaiting();
	await broker.grant(run);
	const again = await sandbox.cutBack(run, 2);
	await broker.hear(again);
	assert.deepEqual(broker.asked.at(-1), broker.asked[0]);
});

test('`abandon` gives back what its host is not asked about any more', async () => {
	const { run, request, broker } = await startCopying();
	const sent = run.update('abandon', { ...asked, confirm: request.name });
	await sent;
	await nobodyAnswers(run);
	await run.complete('unpin');
	await broker.hear(run);
	assert.deepEqual([broker.steps().toSorted(), run.closed], [['migrate', 'run'], 'completed']);
});
