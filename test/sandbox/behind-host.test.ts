/** A workflow whose history is behind its host: it was reset, or its database lacks what the host has seen. */
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
const generationOf = (run: SandboxRun, type: string) => Number(run.pending(type).input['generation']);
const seen = { generation: 40 };

/** The undo of a step that failed is refused by a host that was told to power on. */
async function refused(): Promise<{ run: SandboxRun; name: string }> {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	await run.fail('snapshot', 'hypervisor_stuck', 'no answer');
	await run.fail('undo', 'power_on_scheduled', 'not undone', seen);
	return { run, name: request.name };
}

test('an undo that the host refuses parks, fails nothing and leaves the pin', async () => {
	const { run } = await refused();
	const { phase, parked, failure } = await statusOf(run);
	assert.deepEqual([run.closed, phase, failure], [undefined, 'starting', null]);
	assert.deepEqual([parked?.code, parked?.next.order], ['power_on_scheduled', 'retry']);
	assert.match(parked?.reason ?? '', /not undone; it was to be undone because: no answer/);
	assert.deepEqual(run.pendingTypes(), []);
});

test('after an undo that the host refused `retry` goes on from where the host is', async () => {
	const { run } = await refused();
	await run.update('retry', asked);
	assert.ok(generationOf(run, 'retry') > seen.generation);
	await run.complete('retry');
	await run.complete('powerOn');
	await run.update('migrate', asked);
	run.pending('migrateChunks');
});

test('after an undo that the host refused a confirmed `discard` removes it, and the pin after it', async () => {
	const { run, name } = await refused();
	await run.update('discard', { ...asked, confirm: name });
	assert.ok(generationOf(run, 'discard') > seen.generation);
	await run.complete('discard', { incidents: [], wasHere: true });
	await run.complete('unpin');
	assert.equal((run.result as { phase: string }).phase, 'discarded');
});

test('after an undo that the host refused a cancellation undoes nothing', async () => {
	const { run } = await refused();
	await run.cancel();
	assert.deepEqual([run.closed, run.pendingTypes()], [undefined, []]);
});

test('an undo that the host has no room to record parks, leaves the pin, and `retry` goes on with the start', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'createMachine');
	await run.fail('createMachine', 'space_short', 'no room');
	await run.fail('undo', 'space_short', 'no room for the tombstone');
	const { phase, parked, failure } = await statusOf(run);
	assert.deepEqual([run.closed, phase, parked?.code, failure], [undefined, 'starting', 'space_short', null]);
	assert.deepEqual(run.pendingTypes(), []);
	await run.update('retry', asked);
	assert.deepEqual(run.pendingTypes(), ['createMachine']);
});

test('an undo whose owed unpin the host has no room to record parks, and `retry` goes on with the undo', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'createMachine');
	await run.fail('createMachine', 'space_short', 'no room');
	await run.complete('undo', { wasHere: true });
	await run.fail('unpin', 'repository_missing');
	await run.fail('oweUnpin', 'space_short', 'no room for that');
	assert.equal((await statusOf(run)).parked?.code, 'space_short');
	await run.update('retry', asked);
	await run.complete('undo', { wasHere: true });
	await run.fail('unpin', 'repository_missing');
	await run.complete('oweUnpin');
	assert.equal(run.closed, 'failed');
	assert.equal((await statusOf(run)).failure?.code, 'space_short');
});

test('a cancellation that the host has no room to record parks, and `retry` undoes it', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'createMachine');
	await run.cancel();
	await run.fail('undo', 'space_short', 'no room for the tombstone');
	assert.equal((await statusOf(run)).parked?.code, 'space_short');
	await run.update('retry', asked);
	assert.deepEqual(run.pendingTypes(), ['undo']);
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.closed, 'failed');
});

for (const step of ['reserve', 'allocate', 'snapshot'] as const)
	test(`${step} of a generation that the host is beyond parks, and \`retry\` asks above the host's`, async () => {
		const { run, request } = await startRecovery(sandbox);
		await bringTo(run, request, step);
		await run.fail(step, 'generation_stale', 'generation 3 is over', seen);
		const { parked } = await statusOf(run);
		assert.deepEqual([parked?.code, parked?.next.order], ['generation_stale', 'retry']);
		assert.match(parked?.reason ?? '', /the host has seen a later generation/);
		assert.deepEqual(run.pendingTypes(), [], 'nothing is undone');
		await run.update('retry', asked);
		assert.ok(generationOf(run, step) > seen.generation);
	});

test('after power-on too `retry` asks above the generation that the host is at', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'powerOn');
	await run.fail('powerOn', 'generation_stale', 'over', seen);
	await run.update('retry', asked);
	assert.ok(generationOf(run, 'retry') > seen.generation);
});

test('an undo of a generation that the host is beyond parks, and `retry` goes on with the steps', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	await run.cancel();
	await run.fail('undo', 'generation_stale', 'over', seen);
	const { parked, failure } = await statusOf(run);
	assert.deepEqual([run.closed, failure, parked?.code], [undefined, null, 'generation_stale']);
	assert.deepEqual(run.pendingTypes(), [], 'the pin stays');
	await run.update('retry', asked);
	assert.ok(generationOf(run, 'snapshot') > seen.generation);
});

test('a cancellation while it is parked before power-on undoes above the generation of the host', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	await run.fail('snapshot', 'generation_stale', 'over', seen);
	await run.cancel();
	assert.ok(generationOf(run, 'undo') > seen.generation);
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.failureCode, 'interrupted');
	assert.equal((await statusOf(run)).parked, null);
});

test('parked before power-on it is renewed and stays parked', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'generation_stale', 'over', seen);
	run.suggestContinueAsNew = true;
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	const next = await sandbox.start('recovery', run.nextArguments ?? []);
	assert.equal((await statusOf(next)).parked?.code, 'generation_stale');
	assert.deepEqual(next.pendingTypes(), []);
	await next.update('retry', asked);
	assert.ok(generationOf(next, 'allocate') > seen.generation);
});

for (const step of ['reserve', 'allocate'] as const) {
	test(`${step} of a recovery that the host has finished ends it so`, async () => {
		const { run, request } = await startRecovery(sandbox);
		await bringTo(run, request, step);
		await run.fail(step, 'generation_stale', 'finished', { ended: 'finished' });
		await run.complete('finalize', { incidents: [] });
		await run.complete('unpin');
		assert.equal((run.result as { phase: string }).phase, 'finished');
	});

	test(`${step} of a recovery that the host has discarded ends it so, and takes away a pin it does not know of`, async () => {
		const { run, request } = await startRecovery(sandbox);
		await bringTo(run, request, step);
		await run.fail(step, 'generation_stale', 'discarded', { ended: 'discarded' });
		await run.complete('discard', { incidents: [], wasHere: true });
		await run.complete('unpin');
		assert.equal((run.result as { phase: string }).phase, 'discarded');
	});
}

test('an undo of what the host has finished ends as finished', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	await run.cancel();
	await run.fail('undo', 'generation_stale', 'finished', { ended: 'finished' });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	const { phase, failure } = recoveryStatusSchema.parse((run.result as { status: unknown }).status);
	assert.deepEqual([phase, failure], ['finished', null]);
});

test('`discard` of what the host has finished ends as finished', async () => {
	const { run, request } = await startRunning(sandbox);
	await run.update('discard', { ...asked, confirm: request.name });
	await run.fail('discard', 'generation_stale', 'finished', { ended: 'finished' });
	await run.complete('finalize', { incidents: [] });
	await run.complete('unpin');
	assert.equal((run.result as { phase: string }).phase, 'finished');
});

test('`power` is asked again at the generation of the host, and fences nothing', async () => {
	const { run } = await startRunning(sandbox);
	const { generation } = await statusOf(run);
	await run.update('power', { ...asked, action: 'off' });
	await run.fail('power', 'generation_stale', 'over', seen);
	assert.equal(generationOf(run, 'power'), seen.generation);
	await run.complete('power', { power: 'off' });
	assert.deepEqual([run.outcome().failure, (await statusOf(run)).generation], [undefined, generation]);
});

test('`power` after the history was put back has a higher number than the orders that are lost', async () => {
	const { run } = await startRunning(sandbox);
	const events = run.activations.length;
	await run.update('power', { ...asked, action: 'off' });
	const lost = Number(run.pending('power').input['order']);
	await run.complete('power', { power: 'off' });
	run.nowMs += 60_000;
	const again = await sandbox.cutBack(run, events);
	await again.update('power', { ...asked, action: 'on' });
	assert.ok(Number(again.pending('power').input['order']) > lost);
});

test('`power` of what the host has discarded is refused, and the recovery ends', async () => {
	const { run } = await startRunning(sandbox);
	await run.update('power', { ...asked, action: 'off' });
	await run.fail('power', 'generation_stale', 'discarded', { ended: 'discarded' });
	assert.equal(run.outcome().failure?.code, 'generation_stale');
	await run.complete('discard', { incidents: [], wasHere: true });
	await run.complete('unpin');
	assert.equal((run.result as { phase: string }).phase, 'discarded');
});

test('`retry` of what only the host reports is asked above the generation of the host', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = await statusOf(run);
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry' } };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [] });
	await run.update('retry', asked);
	await run.fail('retry', 'generation_stale', 'over', seen);
	assert.ok(generationOf(run, 'retry') > seen.generation);
	await run.complete('retry');
	assert.ok(run.outcome().result);
});
