import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryPlanSchema, recoveryStatusSchema } from '../../model/recovery.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, bringTo, startRecovery } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const afterwards = (run: SandboxRun, count: number) => run.scheduled.slice(count).map(({ type }) => type);
const memoPhase = (run: SandboxRun) => recoveryStatusSchema.parse(run.memo['status']).phase;

test('a plan that cannot be made fails with its code, once the host has said that there is nothing to undo', async () => {
	const { run } = await startRecovery(sandbox);
	await run.fail('plan', 'point_unknown');
	await run.complete('undo', { wasHere: false });
	assert.equal(run.closed, 'failed');
	assert.equal(run.failureCode, 'point_unknown');
	assert.deepEqual(afterwards(run, 1), ['undo']);
	assert.equal(run.attributes['RousePhase'], 'failed');
});

test('what the platform of the host cannot run fails with its code, and the place on the host is given back', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'chooseHardware');
	await run.fail('chooseHardware', 'precheck_failed');
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.failureCode, 'precheck_failed');
	assert.ok(!run.scheduled.some(({ type }) => type === 'pin'), 'nothing is pinned yet');
	const { failure } = recoveryStatusSchema.parse(run.memo['status']);
	assert.equal(failure?.hint, 'mend it', 'whoever waits for the start is told what helps');
});

test('a step that fails before power-on is undone with all before it, the pin last', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'snapshot');
	const earlier = run.scheduled.length;
	await run.fail('snapshot', 'hypervisor_stuck');
	await run.complete('undo', { wasHere: true });
	assert.equal(memoPhase(run), 'starting', 'not failed before everything is undone');
	await run.complete('unpin');
	assert.deepEqual(afterwards(run, earlier), ['undo', 'unpin']);
	assert.equal(run.closed, 'failed');
	assert.equal(run.failureCode, 'hypervisor_stuck');
});

test('a step whose own outcome is unknown is undone as well', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'pin');
	await run.fail('pin', 'identity_conflict');
	await run.complete('undo', { wasHere: true });
	assert.deepEqual(run.pendingTypes(), ['unpin']);
});

for (const code of ['store_unreachable', 'repository_missing', 'repository_unknown', 'space_short', 'io_failed'])
	test(`a pin that fails by ${code} leaves the recovery unpinned: its host is told, and it goes on`, async () => {
		const { run, request } = await startRecovery(sandbox);
		await bringTo(run, request, 'pin');
		const { attempts, input: pinned } = run.pending('pin');
		assert.deepEqual([attempts, pinned['host']], [3, request.host]);
		await run.fail('pin', code, 'it cannot be written');
		const { input } = run.pending('unpinned');
		assert.deepEqual([input['code'], input['reason']], [code, 'it cannot be written']);
		await run.complete('unpinned');
		const plan = recoveryPlanSchema.parse(run.pending('allocate').input['plan']);
		assert.deepEqual(plan.warnings, ['unpinned: it cannot be written']);
	});

test('an undone pin whose repository is away is owed by the host, and nothing is left behind', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short');
	await run.complete('undo', { wasHere: true });
	await run.fail('unpin', 'store_unreachable');
	assert.equal(run.pending('oweUnpin').input['repository'], request.repository);
	await run.complete('oweUnpin');
	const { failure } = recoveryStatusSchema.parse(run.memo['status']);
	assert.deepEqual([failure?.code, failure?.message.includes('left behind')], ['space_short', false]);
});

test('an undo comes under a higher generation than the step it undoes', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	const generation = Number(run.pending('allocate').input['generation']);
	await run.fail('allocate', 'space_short');
	assert.ok(Number(run.pending('undo').input['generation']) > generation);
});

test('an undo that the host cannot do is named, and the pin stays with what may still read the point', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short');
	await run.fail('undo', 'io_failed', 'disk is gone');
	assert.deepEqual(run.pendingTypes(), []);
	assert.equal(run.failureCode, 'space_short');
	const { failure } = recoveryStatusSchema.parse(run.memo['status']);
	assert.match(failure?.message ?? '', /left behind: remove: disk is gone; unpin: not before that/);
});

test('a pin that cannot be taken away is named', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short');
	await run.complete('undo', { wasHere: true });
	await run.fail('unpin', 'identity_conflict', 'another one holds it');
	assert.equal(run.failureCode, 'space_short');
	const { failure } = recoveryStatusSchema.parse(run.memo['status']);
	assert.match(failure?.message ?? '', /left behind: unpin: another one holds it/);
});

test('a cancellation does not end an undo that is under way', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short');
	await run.cancel();
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.failureCode, 'space_short');
});

test('a cancelled workflow is undone and fails as interrupted', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'createMachine');
	await run.cancel();
	await run.complete('undo', { wasHere: true });
	await run.complete('unpin');
	assert.equal(run.closed, 'failed');
	assert.equal(run.failureCode, 'interrupted');
});

test('cancelling waits for a pin that is being made, so that the unpin comes after it', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'pin');
	await run.cancel();
	assert.deepEqual(run.pendingTypes(), ['pin']);
	await run.resolveCancelled('pin');
	await run.complete('undo', { wasHere: true });
	assert.deepEqual(run.pendingTypes(), ['unpin']);
});

test('while a recovery undoes itself it cannot be discarded', async () => {
	const { run, request } = await startRecovery(sandbox);
	await bringTo(run, request, 'allocate');
	await run.fail('allocate', 'space_short');
	const { failure } = await run.update('discard', { ...asked, confirm: request.name });
	assert.equal(failure?.code, 'phase_wrong');
});

for (const step of ['plan', 'reserve', 'chooseHardware', 'allocate', 'snapshot'] as const)
	test(`discard during ${step} ends the step, removes what was made and completes as discarded`, async () => {
		const { run, request } = await startRecovery(sandbox);
		await bringTo(run, request, step);
		const interrupted = run.pending(step);
		const { accepted } = await run.update('discard', { ...asked, confirm: request.name });
		assert.ok(accepted);
		assert.ok(run.cancelled.has(interrupted.seq));
		while (run.closed === undefined) {
			assert.equal(memoPhase(run), 'discarding');
			const [next] = run.pendingTypes();
			await run.complete(
				next ?? 'nothing',
				next === 'discard' ? { incidents: [], wasHere: step !== 'plan' } : undefined,
			);
		}
		assert.equal(run.closed, 'completed');
		assert.equal(memoPhase(run), 'discarded');
		const undone = run.scheduled.slice(run.scheduled.indexOf(interrupted) + 1).map(({ type }) => type);
		assert.deepEqual(undone, step === 'plan' ? ['discard'] : ['discard', 'unpin']);
	});
