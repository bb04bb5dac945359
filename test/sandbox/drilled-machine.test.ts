import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { MachineFindings } from '../../model/drill-report.ts';
import { testHostId } from '../equipment/recovery-request.ts';
import { Sandbox } from '../equipment/sandbox.ts';
import { echo } from './drill-run.ts';

let sandbox: Sandbox;
before(async () => {
	sandbox = await Sandbox.create();
});
after(() => sandbox.destroy());

const input = { drill: 'site', report: '2026-11-20T03-00-00Z', name: 'a', recoveryId: testHostId };
const found = { host: 'local', hostId: testHostId, startMs: 1, bootMs: 2, readyMs: 3 };
const passed = { name: 'echo', by: 'agent', passed: true, code: null, reason: null, output: 'hello', durationMs: 5 };

test('a machine is tested one test after the other, also after one that could not be run, and what is seen is kept', async () => {
	const tests = [echo, { ...echo, name: 'second' }];
	const run = await sandbox.start('drilledMachine', [{ ...input, tests }], 'drilled/site/a');
	assert.equal(run.pending('findDrilled').scheduleToCloseMs, 0, 'a control worker that is away for long is waited for');
	await run.complete('findDrilled', found);
	await run.fail('runTest', 'supervisor_unreachable', 'nobody answers');
	await run.complete('runTest', passed);
	await run.complete('lookAtMachine', { screenshot: 'aGk=', screenshotReason: null, readBytes: 7 });
	const { findings } = run.pending('keepFindings').input as { findings: MachineFindings };
	assert.deepEqual([findings.bootMs, findings.readBytes, findings.screenshot], [2, 7, 'aGk=']);
	assert.deepEqual(
		findings.tests.map(each => [each.passed, each.code]),
		[
			[false, 'supervisor_unreachable'],
			[true, null],
		],
	);
	await run.complete('keepFindings');
	assert.deepEqual(run.result, { passed: false, reason: 'echo: nobody answers' });
});

test('a machine without tests is only looked at, and a look that comes to nothing fails nothing', async () => {
	const run = await sandbox.start('drilledMachine', [{ ...input, tests: [] }], 'drilled/site/a');
	await run.complete('findDrilled', found);
	await run.timeOut('lookAtMachine');
	await run.complete('keepFindings');
	assert.deepEqual(run.result, { passed: true, reason: null });
});

test('what a host says of a test comes into the history of the drill in short alone', async () => {
	const run = await sandbox.start('drilledMachine', [{ ...input, tests: [echo] }], 'drilled/site/a');
	await run.complete('findDrilled', found);
	await run.complete('runTest', { ...passed, passed: false, reason: 'x'.repeat(100_000) });
	await run.timeOut('lookAtMachine');
	await run.complete('keepFindings');
	const { reason } = run.result as { reason: string };
	assert.ok(reason.length < 2_000, String(reason.length));
});

test('a machine that runs nowhere passes no test', async () => {
	const run = await sandbox.start('drilledMachine', [{ ...input, tests: [echo] }], 'drilled/site/a');
	await run.complete('findDrilled', { ...found, host: null, hostId: null });
	await run.complete('keepFindings');
	assert.deepEqual(run.result, { passed: false, reason: 'no host told where it runs' });
});
