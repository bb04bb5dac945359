import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testHostId } from '../equipment/recovery-request.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const recoveryId = '9f6a1c1e-77a4-4f0e-8a55-0d6f5d2f4c11';
const owed = { hostId: testHostId, name: 'web01-r1', recoveryId, generation: 7 };
const start = (input: object = owed) => sandbox.start('owedUndo', [input], 'owed-undo/web01-r1/kvm1');

function told(run: SandboxRun) {
	return run.outside.sent.map(({ workflowId, signal, message }) => [workflowId, signal, message]);
}

test('`owedUndo` waits for the host however long it is away, undoes there, and tells the recovery', async () => {
	const run = await start();
	const { taskQueue, input, attempts, scheduleToStartMs, scheduleToCloseMs } = run.pending('undo');
	assert.deepEqual([taskQueue, input], [`host-${testHostId}`, { ...owed, left: true }]);
	assert.deepEqual([attempts, scheduleToStartMs, scheduleToCloseMs], [0, 0, 0]);
	await run.complete('undo', { wasHere: true });
	assert.deepEqual(told(run), [['recovery/web01-r1', 'undone', { recoveryId, hostId: testHostId, generation: 7 }]]);
	for (const sent of run.outside.sent) await run.arrive(sent);
	assert.equal(run.closed, 'completed');
});

test('`owedUndo` of a recovery that is closed ends as well', async () => {
	const run = await start();
	await run.complete('undo', { wasHere: false });
	for (const sent of run.outside.sent) await run.arrive(sent, false);
	assert.equal(run.closed, 'completed');
});

test('`owedUndo` that a host cannot do is asked again, over continue-as-new', async () => {
	const run = await start();
	await run.fail('undo', 'hypervisor_stuck', 'a mover cannot be killed');
	assert.deepEqual([run.pendingTypes(), told(run)], [[], []]);
	await run.passTime(600_000);
	assert.equal(run.pending('undo').input['generation'], 7);
	await run.fail('undo', 'hypervisor_stuck', 'a mover cannot be killed');
	run.suggestContinueAsNew = true;
	await run.passTime(600_000);
	assert.equal(run.closed, 'continued');
	const next = await sandbox.goOn(run);
	assert.deepEqual(next.pending('undo').input, { ...owed, left: true });
});

for (const code of ['power_on_scheduled', 'generation_stale'])
	test(`\`owedUndo\` that a host refuses by ${code} is told to the recovery, and fails by that`, async () => {
		const run = await start();
		await run.fail('undo', code, 'it ran here');
		const [[, , message] = []] = told(run) as [string, string, { refusal: { code: string; message: string } }][];
		assert.deepEqual([message?.refusal.code, message?.refusal.message], [code, 'it ran here']);
		for (const sent of run.outside.sent) await run.arrive(sent);
		assert.deepEqual([run.closed, run.failureCode], ['failed', code]);
	});

test('`owedUndo` that is given anything else fails at once', async () => {
	const run = await start({ ...owed, hostId: 'kvm1' });
	assert.deepEqual([run.closed, run.failureCode], ['failed', 'input_invalid']);
});

test('`owedUndo` of a host that is given up ends, and tells the recovery who has done that and why', async () => {
	const run = await start();
	await run.signal('giveUp', { by: 'ann', stranger: true });
	assert.equal(run.closed, undefined, 'it has to be said by whom, and nothing else');
	await run.signal('giveUp', { by: 'ann', reason: 'burnt' });
	const givenUp = { by: 'ann', reason: 'burnt' };
	assert.deepEqual(told(run), [
		['recovery/web01-r1', 'undone', { recoveryId, hostId: testHostId, generation: 7, givenUp }],
	]);
	for (const sent of run.outside.sent) await run.arrive(sent, false);
	assert.deepEqual([run.closed, run.pendingTypes()], ['completed', []]);
});

test('`owedUndo` that waits after a failure is given up as well', async () => {
	const run = await start();
	await run.fail('undo', 'hypervisor_stuck', 'a mover cannot be killed');
	await run.signal('giveUp', { by: 'ann' });
	for (const sent of run.outside.sent) await run.arrive(sent);
	assert.equal(run.closed, 'completed');
});
