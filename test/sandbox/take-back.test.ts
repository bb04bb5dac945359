import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type RecoveryRequest, recoveryStatusSchema } from '../../model/recovery.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { bringTo, startRecovery } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const wish = { batch: 'site', by: 'batch site', reason: 'db1 did not come back' };

async function startOfBatch(batch: string): Promise<{ run: SandboxRun; request: RecoveryRequest }> {
	const request = makeRequest();
	return { run: await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), batch }]), request };
}

/** Whoever waits until the batch has heard it goes on. */
async function toldBatch(run: SandboxRun): Promise<void> {
	for (const sent of run.outside.sent) await run.arrive(sent);
}

for (const step of ['plan', 'reserve', 'allocate', 'snapshot'] as const)
	test(`\`takeBack\` while ${step} is under way undoes all, and says on whose wish`, async () => {
		const { run, request } = await startOfBatch('site');
		await bringTo(run, request, step);
		await run.signal('takeBack', wish);
		await run.complete('undo', { wasHere: true });
		await run.complete('unpin');
		await toldBatch(run);
		assert.deepEqual([run.closed, run.failureCode], ['failed', 'interrupted']);
		const { failure } = recoveryStatusSchema.parse(run.memo['status']);
		assert.equal(failure?.message, 'taken back by batch site: db1 did not come back');
	});

test('`takeBack` from power-on on changes nothing: the machine may have run', async () => {
	const { run, request } = await startOfBatch('site');
	await bringTo(run, request, 'powerOn');
	await run.signal('takeBack', wish);
	assert.deepEqual(run.pendingTypes(), ['powerOn']);
	await run.complete('powerOn');
	assert.deepEqual([run.attributes['RousePhase'], run.attributes['RouseParked']], ['running', undefined]);
	const later = await startOfBatch('site');
	await bringTo(later.run, later.request, 'running');
	await later.run.signal('takeBack', wish);
	await later.run.signal('takeBack', { by: 'x'.repeat(101) });
	assert.deepEqual([later.run.attributes['RousePhase'], later.run.pendingTypes()], ['running', []]);
	assert.equal((await later.run.update('migrate', { by: 'ann' })).accepted, true);
	assert.equal(later.run.attributes['RousePhase'], 'migrating');
});

test('`takeBack` of a batch that has not started this recovery changes nothing', async () => {
	for (const { run, request } of [await startOfBatch('another'), await startRecovery(sandbox)]) {
		await bringTo(run, request, 'allocate');
		await run.signal('takeBack', wish);
		assert.deepEqual(run.pendingTypes(), ['allocate']);
	}
});

const drill = { name: 'site' };
const thrownAway = { ...wish, by: 'drill site', drill: true };

async function startOfDrill(): Promise<{ run: SandboxRun; request: RecoveryRequest }> {
	const request = makeRequest({ drill });
	const run = await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64), batch: 'site' }]);
	return { run, request };
}

for (const step of ['plan', 'allocate', 'powerOn', 'running'] as const)
	test(`\`takeBack\` of a drill with ${step} reached discards its recovery, and tells the host whose it is`, async () => {
		const { run, request } = await startOfDrill();
		await bringTo(run, request, step);
		for (const sent of run.outside.sent) await run.arrive(sent);
		await run.signal('takeBack', thrownAway);
		assert.deepEqual(run.pending('discard').input['drill'], drill);
		await run.complete('discard', { incidents: [], wasHere: true });
		await run.complete('unpin');
		assert.ok(run.outside.sent.every(({ workflowId }) => workflowId === 'drill/site'));
		await toldBatch(run);
		assert.deepEqual([run.closed, run.attributes['RousePhase']], ['completed', 'discarded']);
	});

test("`takeBack` of a drill is heeded by a recovery of it that was adopted, which nobody but its request says is the drill's", async () => {
	const request = makeRequest({ drill });
	const run = await sandbox.start('recovery', [{ request, requestHash: 'c'.repeat(64) }]);
	await bringTo(run, request, 'running');
	await run.signal('takeBack', { ...thrownAway, batch: 'another' });
	assert.deepEqual(run.pendingTypes(), []);
	await run.signal('takeBack', thrownAway);
	assert.deepEqual(run.pending('discard').input['drill'], drill);
});

test('`takeBack` of a drill changes nothing of a recovery of a batch that has its name, nor the other way round', async () => {
	const { run, request } = await startOfBatch('site');
	const disposable = await startOfDrill();
	await bringTo(run, request, 'allocate');
	await run.signal('takeBack', thrownAway);
	assert.deepEqual(run.pendingTypes(), ['allocate']);
	for (const sent of [wish, { ...thrownAway, batch: 'another' }]) await disposable.run.signal('takeBack', sent);
	assert.deepEqual(disposable.run.pendingTypes(), ['plan']);
});

test('a recovery of a drill that is cancelled in Temporal while it runs is discarded, not parked', async () => {
	const { run, request } = await startOfDrill();
	await bringTo(run, request, 'running');
	await run.cancel();
	assert.deepEqual(run.pending('discard').input['drill'], drill);
	assert.equal(run.attributes['RouseParked'], undefined);
});

test('a recovery of a drill takes no order to be copied, and its input cannot ask for it', async () => {
	const { run, request } = await startOfDrill();
	await bringTo(run, request, 'running');
	for (const order of ['migrate', 'switch'])
		assert.match(JSON.stringify(await run.update(order, { by: 'ann' })), /phase_wrong/);
	const wanting = makeRequest({ drill, policy: { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } });
	const wrong = await sandbox.start('recovery', [{ request: wanting, requestHash: 'c'.repeat(64) }]);
	assert.deepEqual([wrong.closed, wrong.failureCode], ['failed', 'input_invalid']);
});
