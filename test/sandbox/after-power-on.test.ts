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

test('a power-on that fails parks and undoes nothing', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'powerOn');
	await run.fail('powerOn', 'machine_failed');
	const { phase, parked } = await statusOf(run);
	assert.equal(phase, 'starting');
	assert.equal(parked?.code, 'machine_failed');
	assert.deepEqual(parked.next, { order: 'retry', first: 'mend it' });
	assert.deepEqual(run.pendingTypes(), []);
	assert.equal(run.attributes['RouseParked'], 'machine_failed');
});

test('retry asks the host first, then does the step again under a higher generation', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'powerOn');
	const first = Number(run.pending('powerOn').input['generation']);
	await run.fail('powerOn', 'machine_failed');
	await run.update('retry', asked);
	assert.equal((await statusOf(run)).parked, null);
	await run.complete('retry');
	const second = Number(run.pending('powerOn').input['generation']);
	assert.ok(second > first + 1, `${first} then ${second}`);
	await run.complete('powerOn');
	assert.equal((await statusOf(run)).phase, 'running');
	assert.equal(run.attributes['RouseParked'], null);
});

test('a bug of ours (a failure without a code) parks as internal', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.fail('migrateChunks', 'TypeError', 'x is not a function');
	assert.equal((await statusOf(run)).parked?.code, 'internal');
});

for (const place of ['running', 'migrating', 'switching'] as const)
	test(`a cancelled workflow parks while ${place}, and retry goes on`, async () => {
		const { run } = await startRunning(sandbox, place === 'running' ? {} : { policy: migrate });
		if (place === 'switching') await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
		await run.cancel();
		const { phase, parked } = await statusOf(run);
		assert.equal(phase, place);
		assert.equal(parked?.code, 'interrupted');
		assert.equal(run.closed, undefined);
		await run.update('retry', asked);
		await run.complete('retry');
		assert.equal((await statusOf(run)).parked, null);
		if (place === 'running') await run.update('migrate', asked);
		run.pending(place === 'switching' ? 'switchToTarget' : 'migrateChunks');
	});

test('retry while nothing is known to be parked asks the host, which may know more', async () => {
	const { run } = await startRunning(sandbox);
	const sent = await run.update('retry', asked);
	assert.deepEqual([sent.accepted, sent.result], [true, undefined]);
	await run.complete('retry');
	assert.ok(run.outcome().result);
});

test('retry is refused while nothing is parked and the host has no machine of it that could be', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	assert.equal((await run.update('retry', asked)).failure?.code, 'phase_wrong');
	const { run: switched } = await startRunning(sandbox, { policy: migrate });
	await switched.complete('migrateChunks', { complete: true, restoredBytes: 9 });
	await switched.complete('switchToTarget', { pauseMs: 1 });
	assert.equal((await switched.update('retry', asked)).failure?.code, 'phase_wrong');
});

test('what the host reports as blocked parks beside the phase, and its clearing unparks', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { recoveryId } = await statusOf(run);
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry', first: 'repair it' } };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [] });
	let status = await statusOf(run);
	assert.deepEqual([status.phase, status.power, status.parked?.code], ['migrating', 'paused', 'chunk_bad']);
	assert.equal(run.attributes['RouseParked'], 'chunk_bad');
	run.pending('migrateChunks');
	await run.signal('hostReport', { recoveryId, power: 'on', blocked: null, incidents: [] });
	status = await statusOf(run);
	assert.deepEqual([status.power, status.parked], ['on', null]);
});

test('retry of what only the host reports asks the host and answers when it has', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { recoveryId } = await statusOf(run);
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry', first: 'repair it' } };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [] });
	const sent = await run.update('retry', asked);
	assert.deepEqual([sent.accepted, sent.result], [true, undefined]);
	await run.complete('retry');
	assert.ok(run.outcome().result);
});

test('a slice that a retry has overtaken begins again under a new generation', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { recoveryId } = await statusOf(run);
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry', first: 'repair it' } };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [] });
	await run.update('retry', asked);
	await run.complete('retry');
	await run.fail('migrateChunks', 'generation_stale');
	run.pending('migrateChunks');
	assert.equal((await statusOf(run)).parked?.code, 'chunk_bad', 'nothing but what the host says');
});

test('of a report from a newer host what is known is taken, and what is not is left', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	const incident = { sequence: 1, at: '2026-11-20T03:00:00.000Z', kind: 'mover_died', message: 'mover', count: 1 };
	const next = { order: 'retry', newer: true };
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next, newer: true };
	const incidents = [{ ...incident, newer: true }];
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents, newer: true });
	const status = await statusOf(run);
	assert.deepEqual([status.power, status.parked?.next], ['paused', { order: 'retry' }]);
	assert.deepEqual(status.incidents, [incident]);
});

test('a report for another recovery of the same name changes nothing', async () => {
	const { run } = await startRunning(sandbox);
	const recoveryId = '00000000-0000-4000-8000-000000000000';
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked: null, incidents: [] });
	assert.equal((await statusOf(run)).power, 'on');
});

test('incidents come together by sequence, and end in the result with those of the last step', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	const { recoveryId } = await statusOf(run);
	const incident = (sequence: number, count: number) => ({
		sequence,
		at: '2026-11-20T03:00:00.000Z',
		kind: 'mover_died',
		message: 'mount mover',
		count,
	});
	const report = { recoveryId, power: 'on', blocked: null };
	await run.signal('hostReport', { ...report, incidents: [incident(1, 1)] });
	await run.signal('hostReport', { ...report, incidents: [incident(1, 4), incident(2, 1)] });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	await run.complete('finalize', { incidents: [incident(3, 1)] });
	await run.complete('unpin');
	const { incidents } = run.result as { incidents: unknown[] };
	assert.deepEqual(incidents, [incident(1, 4), incident(2, 1), incident(3, 1)]);
});

test('power is asked of the host, and its answer is the answer', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'off' });
	assert.equal(run.pending('power').input['action'], 'off');
	await run.complete('power', { power: 'off' });
	assert.equal(recoveryStatusSchema.parse(run.outcome().result).power, 'off');
});

test('power refused by the host is refused with its code', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'off' });
	await run.fail('power', 'hypervisor_stuck');
	assert.equal(run.outcome().failure?.code, 'hypervisor_stuck');
	assert.equal((await statusOf(run)).parked, null);
});

for (const place of ['starting', 'running', 'migrating', 'parked', 'switching'] as const)
	test(`discard while ${place} removes the machine, then the pin`, async () => {
		const { run, request } = await startRecovery(
			sandbox,
			['starting', 'running'].includes(place) ? {} : { policy: migrate },
		);
		await bringTo(run, request, place === 'starting' ? 'powerOn' : 'running');
		if (place === 'parked') await run.fail('migrateChunks', 'io_failed');
		if (place === 'switching') await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
		const generation = Number(run.scheduled.at(-1)?.input['generation']);
		await run.update('discard', { ...asked, confirm: request.name });
		assert.equal((await statusOf(run)).phase, 'discarding');
		assert.ok(Number(run.pending('discard').input['generation']) > generation);
		await run.complete('discard', { incidents: [] });
		await run.complete('unpin');
		assert.equal(run.closed, 'completed');
		assert.equal(run.attributes['RousePhase'], 'discarded');
	});

for (const end of ['finish', 'discard'] as const)
	test(`a ${end} whose unpin meets a repository that is away hands it to the host, and does not park`, async () => {
		const { run, request } = await startRunning(sandbox, end === 'finish' ? { policy: migrate } : {});
		if (end === 'discard') {
			await run.update('discard', { ...asked, confirm: request.name });
			await run.complete('discard', { incidents: [] });
		} else {
			await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
			await run.complete('switchToTarget', { pauseMs: 1 });
			await run.complete('finalize', { incidents: [] });
		}
		assert.equal(run.pending('unpin').attempts, 3);
		await run.fail('unpin', 'store_unreachable');
		assert.equal(run.pending('oweUnpin').input['repository'], request.repository);
		await run.complete('oweUnpin');
		assert.equal(run.closed, 'completed');
		assert.equal(run.attributes['RousePhase'], end === 'finish' ? 'finished' : 'discarded');
	});

test('a discard that fails parks, and goes on after retry', async () => {
	const { run, request } = await startRunning(sandbox);
	await run.update('discard', { ...asked, confirm: request.name });
	await run.fail('discard', 'io_failed');
	const { phase, parked } = await statusOf(run);
	assert.deepEqual([phase, parked?.code], ['discarding', 'io_failed']);
	await run.update('retry', asked);
	run.pending('discard');
});

test('discard with another name typed is refused', async () => {
	const { run } = await startRunning(sandbox);
	const { failure } = await run.update('discard', { ...asked, confirm: 'web02-r1' });
	assert.equal(failure?.code, 'usage');
	assert.equal((await statusOf(run)).phase, 'running');
});

test('after the switch it is too late for a discard', async () => {
	const { run, request } = await startRunning(sandbox, { policy: migrate });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	await run.complete('switchToTarget', { pauseMs: 1 });
	const { failure } = await run.update('discard', { ...asked, confirm: request.name });
	assert.equal(failure?.code, 'phase_wrong');
	run.pending('finalize');
});

test('an order of a wrong shape is refused and does not fail the task', async () => {
	const { run } = await startRunning(sandbox);
	const refused = async (order: string, wrong: object) => {
		const { failure } = await run.update(order, { ...asked, ...wrong });
		assert.equal(failure?.code, 'usage');
		return failure.message;
	};
	const policy = 'policy is not taken as it was given: policy.maxRateBytes: must be';
	assert.equal(await refused('setPolicy', { policy: { maxRateBytes: -1 } }), `${policy} at least 0`);
	assert.equal(await refused('setPolicy', { policy: { maxRateBytes: 'x' } }), `${policy} a number, not a text`);
	assert.match(await refused('power', { action: 'explode' }), /^power .*: action: must be one of on, off, /);
});
