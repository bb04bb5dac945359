/** A whole drill by commands alone, on a simulated host: real keeper, supervisor, workers and Temporal server. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { DrillReports } from '../../drills/reports.ts';
import { drillReportSchema } from '../../model/drill-report.ts';
import { connectTemporal } from '../../client/connection.ts';
import { listPins } from '../../repository/pins.ts';
import { openRepository } from '../../repository/repository.ts';
import { places } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const file = `
name: weekly
defaults:
  ready: {agent: 1m}
  tests: [{name: greeting, agent: [echo, '<script>alert(1)</script>']}]
groups:
  - {name: db, machines: [db01]}
  - name: web
    after: [db]
    machines:
      - {machine: web01, tests: [{serial: "hello\\n", expect: hello}, {command: own, args: [yes]}]}
      - {machine: web01, name: broken, tests: [{name: wrong, agent: [exit, '3']}]}
`;

const viewSchema = z.looseObject({ phase: z.string(), passed: z.boolean().nullable(), report: z.string().nullable() });
const scheduledSchema = z.object({
	schedules: z.array(z.looseObject({ name: z.string(), cron: z.string(), nextAt: z.iso.datetime() })),
});
const auditSchema = z.looseObject({
	schedule: z.looseObject({ skipped: z.int() }).nullable(),
	entries: z.array(z.looseObject({ text: z.string() })),
});
const reportSchema = z.looseObject({ ...drillReportSchema.shape, page: z.string() });

test('a drill by commands: tested, reported with what changed, thrown away, and exit code 12 for one that failed', async t => {
	const here = await EmbeddedInstallation.up(t, 'host: {kind: simulated}', fastDirectory);
	const { home } = here.installation;
	await storePoints(here.repository);
	const path = join(home, 'weekly.yaml');
	await writeFile(path, file);
	await mkdir(places.checks(home), { mode: 0o700 });
	const own = '#!/bin/sh\ntest "$1" = yes && test "$ROUSE_RECOVERY" = web01-drill && echo fine\n';
	await writeFile(join(places.checks(home), 'own'), own, { mode: 0o700 });

	const failed = await here.run('drill', 'start', path, '--reason', 'test');
	assert.equal(failed.exitCode, 12, failed.stderr);
	const view = viewSchema.parse(JSON.parse(failed.stdout.trimEnd().split('\n').at(-1) ?? ''));
	assert.deepEqual([view.phase, view.passed], ['over', false]);
	const { machines, page, ...report } = reportSchema.parse(await here.answer('drill', 'report', 'weekly'));
	assert.deepEqual([report.passed, report.cancelled, report.reason], [false, null, 'test']);
	assert.deepEqual(
		machines.map(({ name, passed, discarded, tests }) => [name, passed, discarded, tests.map(each => each.passed)]),
		[
			['db01-drill', true, true, [true]],
			['web01-drill', true, true, [true, true]],
			['broken', false, true, [false]],
		],
	);
	assert.match(machines[2]?.reason ?? '', /wrong: it ended with exit code 3/);
	for (const machine of machines)
		assert.ok(machine.screenshot && machine.bootMs !== null && machine.readyMs !== null && machine.readBytes !== null);
	const html = await readFile(page, 'utf8');
	assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;') && !html.includes('<script'));
	assert.ok(html.includes('data:image/png;base64,'));

	assert.deepEqual(await readdir(places.recoveries(home)), [], 'nothing of it is left on the host');
	const repository = await openRepository(here.repository);
	assert.deepEqual(await listPins(repository), { pins: [], unreadable: [] });
	await repository.store.close();

	await writeFile(path, file.replace("exit, '3'", "exit, '0'"));
	const [listed] = scheduledSchema.parse(await here.answer('drill', 'schedule', path, '--cron', '0 3 * * 0')).schedules;
	assert.deepEqual([listed?.name, listed?.cron, new Date(listed?.nextAt ?? 0).getUTCDay()], ['weekly', '0 3 * * 0', 0]);
	assert.equal((await here.refusal('drill', 'schedule', path, '--cron', '0 4 * * 0')).code, 'name_conflict');
	const temporal = await connectTemporal(here.installation);
	t.after(() => temporal.close());
	await temporal.client.schedule.getHandle('drill-schedule/weekly').trigger();
	const reports = new DrillReports(places.drills(home));
	const drilled = async () => (await reports.read('weekly')).report.startedAt > report.startedAt;
	await waitFor('the drill of the schedule to be reported', drilled, { timeoutMs: 120_000, everyMs: 100 });
	const audit = auditSchema.parse(await here.answer('audit', 'drill/weekly'));
	const told = audit.entries.map(({ text }) => text);
	for (const text of ['3 machines in 2 groups requested', 'broken is tested', 'report written'])
		assert.ok(told.includes(text), `${text}: ${told.join('\n')}`);
	assert.equal(audit.schedule?.skipped, 0);
	const copied = join(home, 'page.html');
	const again = reportSchema.parse(await here.answer('drill', 'report', 'weekly', '--html', copied));
	assert.deepEqual([again.passed, again.machines.map(({ change }) => change?.passed)], [true, [true, true, false]]);
	assert.match(await readFile(copied, 'utf8'), /was failed/);
	assert.deepEqual(await here.answer('drill', 'schedule', 'remove', 'weekly'), { schedules: [] });
	assert.equal((await here.refusal('drill', 'show', 'other')).exitCode, 5);
});
