/** What whoever has the keys of Temporal can start and send by hand. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hashRequest } from '../../client/requests.ts';
import { recoveryStatusSchema } from '../../model/recovery.ts';
import { makeRequest } from '../equipment/recovery-request.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { startRunning } from './recovery-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

test('a workflow whose input is no recovery, or another one than its id says, fails at once and does nothing', async () => {
	const request = makeRequest();
	const requestHash = hashRequest(request);
	const another = makeRequest({ name: 'another' });
	for (const args of [
		[],
		[null],
		[{}],
		[{ request: 5, requestHash }],
		[{ request: { ...request, repository: 7 }, requestHash }],
		[{ request: { ...request, more: 'x' }, requestHash }],
		[{ request }],
		[{ request: another, requestHash: hashRequest(another) }],
	]) {
		const run = await sandbox.start('recovery', args);
		assert.deepEqual(
			[run.closed, run.failureCode, run.scheduled],
			['failed', 'input_invalid', []],
			JSON.stringify(args),
		);
	}
});

test('a report of the host that has no end is cut: a memo that Temporal does not take would stop the workflow', async () => {
	const { run } = await startRunning(sandbox);
	const { recoveryId } = recoveryStatusSchema.parse(await run.query('status'));
	const endless = 'x'.repeat(3_000_000);
	const blocked = { code: 'chunk_bad', reason: endless, next: { order: 'retry', first: endless } };
	const incident = { sequence: 1, at: '2026-11-20T03:00:00Z', kind: 'read_waited', message: endless, count: 1 };
	await run.signal('hostReport', { recoveryId, power: 'paused', blocked, incidents: [incident] });
	const status = recoveryStatusSchema.parse(await run.query('status'));
	assert.equal(status.parked?.code, 'chunk_bad');
	assert.ok(JSON.stringify(status).length < 10_000);
});
