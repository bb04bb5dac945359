import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Adoption } from '../../model/adoption.ts';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import type { Adopted } from '../../workflows/contracts.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';
import { SandboxBroker } from '../equipment/sandbox-broker.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const request = makeRequest();
const recoveryId = '8f0f7a6e-2c1b-4c56-9a3e-0d4c2d1b7a10';
const untilRunning = ['reserve', 'allocate', 'create-machine', 'start-movers', 'snapshot', 'power-on'];

/** Of a machine that runs. */
const running: Adopted['host'] = {
	recoveryId,
	generation: 17,
	plan: { ...planOf(request), hardware: sampleHardware },
	done: untilRunning,
	powerOnScheduled: true,
	abandoned: false,
	power: 'on',
	powerDesired: 'on',
	powerOrder: 0,
	copy: { wanted: false, maxRateBytes: 0 },
	restored: false,
	switch: { stage: 'none', pauseMs: null },
};

function adopt(
	host: Partial<Adoption>,
	more: Omit<Partial<Adopted>, 'host'> = {},
	input: { broker?: true } = {},
): Promise<SandboxRun> {
	const adopted: Adopted = { by: 'tester', host: { ...running, ...host }, ...more };
	return sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), adopt: adopted, ...input }]);
}

const statusOf = async (run: SandboxRun) => recoveryStatusSchema.parse(await run.query('status'));

test('adopted while its machine runs it outranks what the lost workflow has sent, and then waits for orders', async () => {
	const run = await adopt({});
	assert.deepEqual(run.pendingTypes(), ['retry']);
	assert.deepEqual(run.pending('retry').input['recoveryId'], recoveryId);
	assert.ok(Number(run.pending('retry').input['generation']) > running.generation + 10);
	await run.complete('retry');
	assert.deepEqual(run.pendingTypes(), []);
	const { phase, power, parked } = await statusOf(run);
	assert.deepEqual([phase, power, parked], ['running', 'on', null]);
	await run.update('migrate', asked);
	assert.deepEqual(run.pendingTypes(), ['migrateChunks']);
});

test('adopted it numbers `power` above what the host was asked by the lost workflow', async () => {
	const powerOrder = Number.MAX_SAFE_INTEGER - 1; // by a clock that was ahead
	const run = await adopt({ powerOrder });
	await run.complete('retry');
	await run.update('power', { ...asked, action: 'off' });
	assert.equal(run.pending('power').input['order'], powerOrder + 1);
});

test('adopted while it copies it goes on at the rate of the host, by the policy that is given with it', async () => {
	const run = await adopt(
		{ copy: { wanted: true, maxRateBytes: 7 } },
		{ policy: { switch: 'manual', finish: 'migrate' } },
	);
	assert.equal((await statusOf(run)).phase, 'migrating');
	await run.complete('retry');
	assert.equal(run.pending('migrateChunks').input['maxRateBytes'], 7);
	await run.complete('migrateChunks', { complete: true, restoredBytes: 1 });
	assert.deepEqual(run.pendingTypes(), []);
	assert.equal((await statusOf(run)).phase, 'migrated');
});

test('adopted while it copies, and cancelled before it has a stream of its own, it pauses what the lost workflow had begun', async () => {
	const run = await adopt({ copy: { wanted: true, maxRateBytes: 7 } }, {}, { broker: true });
	await run.complete('retry');
	const broker = new SandboxBroker();
	await broker.hear(run);
	assert.deepEqual([broker.last().step, run.pendingTypes()], ['migrate', []]);
	await run.cancel();
	await broker.hear(run);
	assert.deepEqual([run.pendingTypes(), (await statusOf(run)).parked?.code], [['pauseMigration'], 'interrupted']);
});

test('adopted in the middle of the switch it carries that on, whatever its policy says', async () => {
	const run = await adopt({ switch: { stage: 'begun', pauseMs: null } }, { policy: { switch: 'manual' } });
	assert.deepEqual(run.pendingTypes(), ['switchToTarget']);
	assert.equal((await statusOf(run)).phase, 'switching');
});

test('adopted after the switch it finishes, with the pin taken away', async () => {
	const run = await adopt({ switch: { stage: 'done', pauseMs: 2.5 } });
	const { failure } = await run.update('discard', { ...asked, confirm: request.name });
	assert.equal(failure?.code, 'phase_wrong');
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.equal(run.closed, 'completed');
	assert.equal((await statusOf(run)).timings.switchPauseMs, 2.5);
});

test('adopted before power-on it makes what is missing, and takes back all of it when that cannot be made', async () => {
	const run = await adopt({ done: untilRunning.slice(0, 3), powerOnScheduled: false, power: 'off' });
	assert.equal((await statusOf(run)).phase, 'starting');
	await run.complete('pin');
	assert.deepEqual(run.pendingTypes(), ['startMovers']);
	await run.fail('startMovers', 'chunk_bad');
	const undone: string[] = [];
	while (run.closed === undefined) {
		const [next = ''] = run.pendingTypes();
		undone.push(next);
		await run.complete(next, { incidents: [], wasHere: true });
	}
	assert.equal(run.failureCode, 'chunk_bad');
	assert.deepEqual(undone, ['undo', 'unpin']);
});

test('adopted after power-on was scheduled it powers on, and a failure of that takes nothing back', async () => {
	const run = await adopt({ done: untilRunning.slice(0, 5), power: 'off' });
	assert.deepEqual(run.pendingTypes(), ['powerOn']);
	await run.fail('powerOn', 'machine_failed');
	assert.deepEqual(run.pendingTypes(), []);
	assert.equal((await statusOf(run)).parked?.code, 'machine_failed');
});

test('adopted with a place on the host and nothing more it plans anew', async () => {
	const run = await adopt({ plan: null, done: ['reserve'], powerOnScheduled: false, power: 'off' });
	await run.complete('plan', planOf(request));
	assert.deepEqual(run.pendingTypes(), ['chooseHardware']);
});

test('adopted after it was abandoned it pins its restore point again, unless it stands on the disks of the host', async () => {
	const run = await adopt({ abandoned: true });
	await run.complete('retry');
	assert.deepEqual(run.pendingTypes(), ['pin']);
	await run.complete('pin');
	await run.update('migrate', asked);
	assert.deepEqual(run.pendingTypes(), ['migrateChunks']);
	const switching = await adopt({ abandoned: true, switch: { stage: 'begun', pauseMs: null } });
	assert.deepEqual(switching.pendingTypes(), ['switchToTarget']);
});
