import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { planOf, testHostId } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, startRecovery, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));

test('a recovery with finish=migrate goes through all steps in the order of the design', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 7 } });
	assert.equal((await statusOf(run)).phase, 'migrating');
	await run.complete('migrateChunks', { complete: false, restoredBytes: 10 });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 20 });
	assert.equal((await statusOf(run)).phase, 'switching');
	await run.complete('switchToTarget', { pauseMs: 3.5 });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.deepEqual(
		run.scheduled.map(({ type }) => type),
		[
			'plan',
			'reserve',
			'chooseHardware',
			'pin',
			'allocate',
			'createMachine',
			'startMovers',
			'snapshot',
			'powerOn',
			'migrateChunks',
			'migrateChunks',
			'switchToTarget',
			'finalize',
			'unpin',
		],
	);
	assert.equal(run.closed, 'completed');
	const { phase, status } = run.result as { phase: string; status: unknown };
	assert.equal(phase, 'finished');
	assert.equal(recoveryStatusSchema.parse(status).timings.switchPauseMs, 3.5);
	assert.equal(run.attributes['RousePhase'], 'finished');
	const published = run.logged.filter(([, message]) => message === 'phase').map(([, , { phase: each }]) => each);
	assert.deepEqual(
		published,
		['planned', 'waiting', 'starting', 'running', 'migrating', 'switching', 'finished'],
		'one that lasts no time costs two events all the same',
	);
});

test('every step on the host carries a higher generation than the one before', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } });
	await run.complete('migrateChunks', { complete: false, restoredBytes: 10 });
	const generations = run.scheduled
		.filter(({ taskQueue }) => taskQueue !== 'control')
		.map(({ input }) => Number(input['generation']));
	assert.equal(generations.length, 9);
	for (const [index, generation] of generations.entries())
		if (index > 0) assert.ok(generation > (generations[index - 1] ?? 0), generations.join(' '));
});

test('copying has a queue of its own, and other steps the queue of the host', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } });
	assert.equal(run.pending('migrateChunks').taskQueue, `host-${testHostId}-copy`);
	assert.equal(run.scheduled.find(({ type }) => type === 'powerOn')?.taskQueue, `host-${testHostId}`);
	assert.equal(run.scheduled.find(({ type }) => type === 'pin')?.taskQueue, 'control');
});

test('the phase is waiting until the host has a place', async () => {
	const { run, request } = await startRecovery(sandbox);
	assert.equal((await statusOf(run)).phase, 'planned');
	await bringTo(run, request, 'reserve');
	assert.equal((await statusOf(run)).phase, 'waiting');
	await run.complete('reserve');
	assert.equal((await statusOf(run)).phase, 'starting');
	assert.equal(run.attributes['RousePhase'], 'starting');
});

test('what the platform of the host chose is in the plan that the host gets', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'chooseHardware');
	assert.deepEqual(run.pending('chooseHardware').input['plan'], planOf(request));
	const hardware = { ...sampleHardware, data: { disks: 'fast' }, warnings: ['slow'] };
	await run.complete('chooseHardware', hardware);
	await run.complete('pin');
	assert.deepEqual(run.pending('allocate').input['plan'], { ...planOf(request), hardware });
});

test('with finish=manual nothing is copied until migrate is said', async () => {
	const { run } = await startRunning(sandbox);
	assert.equal((await statusOf(run)).phase, 'running');
	assert.deepEqual(run.pendingTypes(), []);
	assert.deepEqual((await run.update('migrate', asked)).accepted, true);
	assert.equal((await statusOf(run)).phase, 'migrating');
	run.pending('migrateChunks');
});

test('with switch=manual a migrated recovery waits for switch', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'manual', maxRateBytes: 0 } });
	await run.complete('migrateChunks', { complete: true, restoredBytes: 20 });
	assert.equal((await statusOf(run)).phase, 'migrated');
	assert.equal(run.attributes['RousePhase'], 'migrated');
	assert.deepEqual(run.pendingTypes(), []);
	await run.update('switch', asked);
	run.pending('switchToTarget');
});

test('powerOn:false reaches running with power off', async () => {
	const { run } = await startRunning(sandbox, { powerOn: false });
	const { phase, power } = await statusOf(run);
	assert.deepEqual({ phase, power }, { phase: 'running', power: 'off' });
	assert.equal(run.scheduled.at(-1)?.input['on'], false);
});

test('a new rate ends the slice and begins another with that rate', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } });
	const slice = run.pending('migrateChunks');
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 4096 } });
	assert.ok(run.cancelled.has(slice.seq));
	assert.equal(run.pending('migrateChunks').input['maxRateBytes'], 4096);
});

test('a policy that leaves the rate alone leaves the slice alone', async () => {
	const { run } = await startRunning(sandbox, { policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } });
	const slice = run.pending('migrateChunks');
	await run.update('setPolicy', { ...asked, policy: { switch: 'manual' } });
	assert.equal(run.pending('migrateChunks').seq, slice.seq);
	assert.equal((await statusOf(run)).policy.switch, 'manual');
});

test('the memo says without a worker what the query says with one', async () => {
	const { run } = await startRunning(sandbox);
	const fresh = await statusOf(run);
	const memo = recoveryStatusSchema.parse(run.memo['status']);
	assert.deepEqual({ ...memo, generation: 0 }, { ...fresh, generation: 0 });
	assert.equal(run.memo['recoveryId'], fresh.recoveryId);
});
