import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { reportHtml } from '../../drills/report-html.ts';
import { DrillReports, type ReportWanted } from '../../drills/reports.ts';
import { type MachineFindings, type MachineOutcome, nothingFound } from '../../model/drill-report.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { testHostId } from '../equipment/recovery-request.ts';

const hostile = '</pre><script>alert("1")</script><img src=x onerror=alert(2)>\u001b[31m\u202e';
const outcome: MachineOutcome = {
	name: 'web01-drill',
	machine: 'web01',
	restorePoint: '2026-11-20T03:00:00.000Z',
	group: 'web',
	recoveryId: testHostId,
	passed: true,
	code: null,
	reason: null,
	discarded: true,
};
const findings: MachineFindings = {
	...nothingFound,
	host: 'local',
	bootMs: 2_000,
	readyMs: 3_000,
	readBytes: 1_024,
	tests: [{ name: 'echo', by: 'agent', passed: true, code: null, reason: null, output: 'hello', durationMs: 5 }],
	screenshot: 'iVBORw0KGgo=',
};
const wanted = (changes: Partial<ReportWanted> = {}): ReportWanted => ({
	directory: '2026-11-20T03-00-00Z',
	keep: 2,
	name: 'weekly',
	reason: '',
	requestedBy: 'ann',
	startedAt: '2026-11-20T03:00:00.000Z',
	endedAt: '2026-11-20T03:10:00.000Z',
	cancelled: null,
	machines: [outcome],
	...changes,
});

suite('the page of a drill', () => {
	test('has nothing of what guests say as anything but text, in any of its fields', () => {
		const change = { since: hostile, passed: false, startMs: null, bootMs: -1, readyMs: 2, readBytes: 3 };
		const machine = {
			...outcome,
			...findings,
			name: hostile,
			machine: hostile,
			restorePoint: hostile,
			host: hostile,
			passed: false,
			reason: hostile,
			screenshot: `"><script>${hostile}`,
			screenshotReason: hostile,
			tests: [
				{ name: hostile, by: hostile, passed: false, code: null, reason: hostile, output: hostile, durationMs: 1 },
			],
			change,
		};
		const told = { name: hostile, reason: hostile, requestedBy: hostile, startedAt: hostile, endedAt: hostile };
		const html = reportHtml({ version: 1, ...told, cancelled: hostile, passed: false, machines: [machine] });
		for (const never of ['<script', '<img src=x', '\u001b', '\u202e']) assert.ok(!html.includes(never), never);
		assert.equal(html.split('<pre>').length, html.split('</pre>').length);
		assert.ok(html.includes('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;'));
		assert.match(html, /Content-Security-Policy" content="default-src 'none'; img-src data:/);
	});

	test('names no address outside of itself, and follows the light or dark of who reads it', () => {
		const html = reportHtml({
			version: 1,
			...wanted(),
			passed: true,
			machines: [{ ...outcome, ...findings, change: null }],
		});
		assert.doesNotMatch(html, /https?:|src="(?!data:)|<link|@import|url\(/);
		assert.match(html, /color-scheme: light dark/);
		assert.match(html, /data:image\/png;base64,iVBORw0KGgo=/);
	});
});

suite('`DrillReports`', () => {
	test('`write` tells how each machine changed since the last drill that had it, and may be done again', async t => {
		const reports = new DrillReports(await temporaryDirectory(t));
		await reports.keep('weekly', '2026-11-20T03-00-00Z', outcome.name, findings);
		const first = await reports.write(wanted());
		assert.equal(first.machines[0]?.change, null);
		const later = { directory: '2026-11-27T03-00-00Z', startedAt: '2026-11-27T03:00:00.000Z' };
		await reports.keep('weekly', later.directory, outcome.name, { ...findings, bootMs: 2_500, readBytes: null });
		const failed = { ...outcome, passed: false, code: 'drill_failed' as const, reason: 'echo' };
		for (const discarded of [false, true])
			await reports.write(wanted({ ...later, machines: [{ ...failed, discarded }] }));
		const { report } = await reports.read('weekly');
		const change = {
			since: '2026-11-20T03:00:00.000Z',
			passed: true,
			startMs: null,
			bootMs: 500,
			readyMs: 0,
			readBytes: null,
		};
		assert.deepEqual([report.passed, report.machines[0]?.discarded, report.machines[0]?.change], [false, true, change]);
	});

	test('`write` of a machine of which nothing was kept says so, and is no less a report', async t => {
		const reports = new DrillReports(await temporaryDirectory(t));
		const { machines } = await reports.write(wanted());
		assert.deepEqual([machines[0]?.tests, machines[0]?.screenshotReason], [[], 'what was seen of it is not here']);
	});

	test('`write` keeps the last reports, and removes nothing else', async t => {
		const directory = await temporaryDirectory(t);
		const reports = new DrillReports(directory);
		for (const day of ['18', '19', '20'])
			await reports.write(wanted({ directory: `2026-11-${day}T03-00-00Z`, startedAt: `2026-11-${day}T03:00:00.000Z` }));
		assert.deepEqual(await readdir(join(directory, 'weekly')), ['2026-11-19T03-00-00Z', '2026-11-20T03-00-00Z']);
		const left = await readdir(join(directory, 'weekly', '2026-11-20T03-00-00Z'));
		assert.deepEqual(left.toSorted(), ['report.html', 'report.json']);
		assert.match(
			await readFile(join(directory, 'weekly', '2026-11-20T03-00-00Z', 'report.html'), 'utf8'),
			/^<!doctype/,
		);
	});

	test('`read` of a drill without a report is `drill_unknown`', async t => {
		const reports = new DrillReports(await temporaryDirectory(t));
		await assert.rejects(reports.read('weekly'), { code: 'drill_unknown' });
	});
});
