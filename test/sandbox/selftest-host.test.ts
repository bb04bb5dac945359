import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testHostId } from '../equipment/recovery-request.ts';
import { Sandbox } from '../equipment/sandbox.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const asked = { hostId: testHostId, long: false };

test('`selftestHost` that is cancelled waits for what the host removes, and ends with its report', async () => {
	const run = await sandbox.start('selftestHost', [asked]);
	const { taskQueue, input, attempts, waits } = run.pending('selftest');
	assert.deepEqual(
		{ taskQueue, input, attempts, waits },
		{ taskQueue: `host-${testHostId}`, input: asked, attempts: 1, waits: true },
	);
	await run.cancel();
	assert.equal(run.closed, undefined);
	await run.complete('selftest', { interrupted: true });
	assert.deepEqual([run.closed, run.result], ['completed', { interrupted: true }]);
});

test('`selftestHost` fails by the code of the host, with worker_missing when nobody takes it, and for what is none', async () => {
	const refused = await sandbox.start('selftestHost', [asked]);
	await refused.fail('selftest', 'lock_held', 'another one runs');
	const missing = await sandbox.start('selftestHost', [asked]);
	await missing.timeOut('selftest');
	const none = await sandbox.start('selftestHost', [{ ...asked, hostId: 'hv1' }]);
	assert.deepEqual(
		[refused.failureCode, missing.failureCode, none.failureCode],
		['lock_held', 'worker_missing', 'input_invalid'],
	);
});
