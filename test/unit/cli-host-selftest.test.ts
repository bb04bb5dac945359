import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { runSelftest } from '../../activities/host/run-selftest.ts';
import { checkText, reportText } from '../../cli/host/selftest-text.ts';
import type { CheckResult, SelftestReport } from '../../model/selftest.ts';
import { asRouseError } from '../../model/errors.ts';
import { openInstallation } from '../../system/installation.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { rouse } from '../equipment/command-line.ts';

const check: CheckResult = {
	name: 'parent-opened',
	why: 'it must be',
	expected: 'it opens',
	outcome: 'otherwise',
	seen: 'General access denied error',
	hresult: '0x80070005',
	durationMs: 12,
	facts: {},
};
const report: SelftestReport = {
	version: 0,
	rouse: '0.0.0',
	startedAt: '2026-11-29T00:00:00.000Z',
	durationMs: 1,
	long: false,
	interrupted: false,
	checks: [check],
	settings: [{ what: 'overlay', chosen: 'child', why: 'there is no other' }],
	left: [],
};

/** A home, and a program that says these lines and then waits until its input ends, where it is told to. */
async function said(t: TestContext, lines: readonly object[], { waits = false } = {}) {
	const home = await temporaryDirectory(t);
	const program = join(home, 'program.mjs');
	const text = lines.map(line => `console.log(${JSON.stringify(JSON.stringify(line))});`);
	if (waits) text.push('process.stdin.resume();');
	await writeFile(program, text.join('\n'));
	const installation = await openInstallation(home);
	return { installation, program, env: process.env, long: false };
}

test('`host selftest` of a host that is not Hyper-V says that there is nothing to test', async t => {
	const home = await temporaryDirectory(t);
	const { exitCode, stdout } = await rouse(home, ['host', 'selftest', '--json']);
	assert.deepEqual([exitCode, JSON.parse(stdout)], [0, { host: 'local', kind: 'qemu', report: null }]);
});

test('`host selftest` of another host than the one that is here is 5', async t => {
	const { exitCode, stderr } = await rouse(await temporaryDirectory(t), ['host', 'selftest', 'hv9']);
	assert.equal(exitCode, 5);
	assert.match(stderr, /there is no host hv9[\s\S]*this installation has: local/);
});

test('`runSelftest` tells each line, and gives the report', async t => {
	const told: object[] = [];
	const lines = [
		{ type: 'trying', name: 'parent-opened' },
		{ type: 'check', check },
	];
	const run = await said(t, [...lines, { type: 'report', report }]);
	const signal = new AbortController().signal;
	assert.deepEqual(await runSelftest({ ...run, signal, tell: line => void told.push(line) }), report);
	assert.deepEqual(told, lines);
});

test('`runSelftest` throws what the test could not be begun for, and says so of one that ends without a word', async t => {
	const signal = new AbortController().signal;
	const tell = () => undefined;
	const error = { code: 'host_busy', message: 'left', hint: 'look' };
	const run = await said(t, [{ type: 'error', error }]);
	await assert.rejects(runSelftest({ ...run, signal, tell }), { code: 'host_busy', message: 'left' });
	await writeFile(run.program, "process.stderr.write('nonsense'); process.exitCode = 7;");
	await assert.rejects(runSelftest({ ...run, signal, tell }), /exit code 7 and no report: nonsense/);
});

test('`runSelftest`: one at a time; an aborted one ends the input of its program, and waits for its report', async t => {
	const run = await said(
		t,
		[
			{ type: 'trying', name: 'first' },
			{ type: 'report', report },
		],
		{ waits: true },
	);
	const interrupt = new AbortController();
	const begun = Promise.withResolvers<void>();
	const first = runSelftest({ ...run, signal: interrupt.signal, tell: () => begun.resolve() });
	await begun.promise;
	const second = runSelftest({ ...run, signal: interrupt.signal, tell: () => undefined });
	assert.equal(asRouseError(await second.catch((error: unknown) => error)).code, 'lock_held');
	interrupt.abort();
	assert.deepEqual(await first, report);
});

test('a check that is otherwise says what was expected and why it matters, with the HRESULT', () => {
	assert.equal(
		checkText(check),
		[
			'BAD  parent-opened: General access denied error (0x80070005)',
			'     expected: it opens',
			'     because: it must be',
		].join('\n'),
	);
	assert.equal(checkText({ ...check, outcome: 'as_expected' }), 'ok   parent-opened: General access denied error');
	assert.match(checkText({ ...check, outcome: 'not_tried', seen: 'no' }), /^– {4}parent-opened: not tried: no$/);
});

test('the end of a self test counts, says how machines are recovered there, and what is left', () => {
	assert.equal(
		reportText({ ...report, interrupted: true, left: ['the machine: no answer'] }),
		[
			'Interrupted: 0 as expected, 1 otherwise, 0 not tried.',
			'overlay: child (there is no other)',
			'left on the host: the machine: no answer; the next self test removes it',
		].join('\n'),
	);
});
