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
