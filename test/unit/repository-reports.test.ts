import assert from 'node:assert/strict';
import { it } from 'node:test';
import { capacityReportSchema } from '../../model/broker.ts';
import type { RepositoryLimits } from '../../system/site.ts';
import { reportAgainMs, RepositoryReports } from '../../workers/repository-reports.ts';

/** Tells the broker all that is due; what that is. */
function tell(reports: RepositoryReports, limits: Record<string, RepositoryLimits>, runId: string, nowMs: number) {
	const due = reports.due(new Map(Object.entries(limits)), runId, nowMs);
	for (const report of due) reports.told(capacityReportSchema.parse(report), nowMs);
	return due.map(({ reporter, number }) => [reporter, number]);
}

const limit = { mounts: 64, streams: 8, imports: 2 };

it('`RepositoryReports` reports all to a new run of the broker, then what changes, and all again ten minutes later', () => {
	const reports = new RepositoryReports();
	assert.deepEqual(tell(reports, { main: limit, old: limit }, 'a', 100), [
		['repository/main', 100],
		['repository/old', 101],
	]);
	assert.deepEqual(tell(reports, { main: limit, old: limit }, 'a', 200), []);
	assert.deepEqual(tell(reports, { main: limit, old: { ...limit, streams: 2 } }, 'a', 300), [['repository/old', 300]]);
	assert.deepEqual(tell(reports, { main: limit, old: limit }, 'b', 400).length, 2);
	assert.deepEqual(tell(reports, { main: limit, old: limit }, 'b', 400 + reportAgainMs).length, 2);
});

it('`RepositoryReports` numbers rise though the clock goes back, and what was not told is due again', () => {
	const reports = new RepositoryReports();
	const [first] = reports.due(new Map([['main', limit]]), 'a', 1_000);
	const [second] = reports.due(new Map([['main', limit]]), 'a', 500);
	assert.deepEqual([first?.number, second?.number], [1_000, 1_001]);
	assert.deepEqual(second?.resources, {
		mounts: { total: 64, outside: 0 },
		streams: { total: 8, outside: 0 },
		imports: { total: 2, outside: 0 },
	});
});
