import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { Sandbox, type SandboxRun } from '../equipment/sandbox.ts';
import { asked, startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const migrate = { finish: 'migrate', switch: 'auto', maxRateBytes: 0 } as const;

/** Level, message and the fields that say why, of what is no change of phase. */
const said = (run: SandboxRun) =>
	run.logged
		.filter(([, message]) => message !== 'phase')
		.map(([level, message, { phase, code, why }]) => [level, message, phase, code ?? why]);

test('the workflow logs each phase once, with its id', async () => {
	const { run } = await startRunning(sandbox);
	assert.deepEqual(
		run.logged.map(([level, message, { phase, workflowId }]) => [level, message, phase, workflowId]),
		['planned', 'waiting', 'starting', 'running'].map(phase => ['info', 'phase', phase, 'recovery/web01-r1']),
	);
});

test('the workflow logs that it is parked and unparked, once each', async () => {
	const { run } = await startRunning(sandbox, { policy: migrate });
	await run.fail('migrateChunks', 'io_failed');
	await run.update('retry', asked);
	assert.deepEqual(said(run), [
		['warn', 'parked', 'migrating', 'io_failed'],
		['info', 'unparked', 'migrating', undefined],
	]);
});

test('the workflow logs that its host is blocked, not every report of it', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = recoveryStatusSchema.parse(await run.query('status'));
	const blocked = { code: 'chunk_bad', reason: 'chunk 12 of disk0', next: { order: 'retry', first: 'repair it' } };
	for (const now of [blocked, blocked, null])
		await run.signal('hostReport', { recoveryId, power: 'paused', blocked: now, incidents: [] });
	assert.deepEqual(said(run), [
		['warn', 'parked', 'running', 'chunk_bad'],
		['info', 'unparked', 'running', undefined],
	]);
});

test('the workflow logs what interrupted a step', async () => {
	const { run, request } = await startRunning(sandbox, { policy: migrate });
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	await run.update('discard', { ...asked, confirm: request.name });
	assert.deepEqual(said(run), [
		['info', 'interrupted', 'migrating', 'stale'],
		['info', 'interrupted', 'migrating', 'discard'],
	]);
});

test('the workflow logs that a new run goes on', async () => {
	const { run } = await startRunning(sandbox);
	run.suggestContinueAsNew = true;
	await run.update('setPolicy', { ...asked, policy: { maxRateBytes: 1 } });
	assert.equal(run.closed, 'continued');
	const [level, message, fields] = run.logged.at(-1) ?? [];
	assert.deepEqual([level, message], ['info', 'renewed: the next run goes on with the same state']);
	assert.ok(Number(fields?.['historyLength']) > 3);
});
