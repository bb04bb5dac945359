import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { testHostId } from '../equipment/recovery-request.ts';
import { Sandbox } from '../equipment/sandbox.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const question = { about: 'recovery', name: 'web01-r1' };

test('`askHost` asks on the queue of that host, once, and answers what it says', async () => {
	const run = await sandbox.start('askHost', [{ hostId: testHostId, question }]);
	assert.partialDeepStrictEqual(run.pending('askHost'), {
		taskQueue: `host-${testHostId}`,
		input: { hostId: testHostId, question },
		attempts: 1,
	});
	await run.complete('askHost', { name: 'web01-r1' });
	assert.deepEqual([run.closed, run.result], ['completed', { name: 'web01-r1' }]);
});

test('`askHost` fails by the code of the host, and with worker_missing when nobody takes the question', async () => {
	const refused = await sandbox.start('askHost', [{ hostId: testHostId, question }]);
	await refused.fail('askHost', 'recovery_unknown', 'none here');
	const missing = await sandbox.start('askHost', [{ hostId: testHostId, question }]);
	await missing.timeOut('askHost');
	const late = await sandbox.start('askHost', [{ hostId: testHostId, question }]);
	await late.fail('askHost', 'timeout', 'the supervisor hangs');
	assert.deepEqual(
		[refused, missing, late].map(run => run.failureCode),
		['recovery_unknown', 'worker_missing', 'timeout'],
	);
});

test('`askHost` of what is no question fails at once, and asks nobody', async () => {
	for (const args of [[], [{ hostId: 'hv1', question }], [{ hostId: testHostId, question: { about: 'discard' } }]]) {
		const run = await sandbox.start('askHost', args);
		assert.deepEqual([run.failureCode, run.scheduled], ['input_invalid', []]);
	}
});
