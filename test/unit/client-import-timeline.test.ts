import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HistoryEntry } from '../../client/history.ts';
import { importTimeline } from '../../client/import-timeline.ts';

const at = (second: number) => new Date(Date.parse('2026-11-20T03:00:00.000Z') + second * 1000).toISOString();
const failure = { code: 'source_unreachable', message: 'connection reset' } as const;

function told(parts: readonly Omit<HistoryEntry, 'at' | 'eventId' | 'runId'>[]): unknown[] {
	const history = parts.map((part, index) => ({ at: at(index), eventId: index, runId: 'r', ...part }));
	const deaths = [{ at: at(2), name: 'control-worker', pid: 7, livedMs: 1 }];
	const entries = importTimeline(history, { requestedBy: 'ann', reason: 'nightly' }, { deaths, outages: [] });
	return entries.map(({ kind, text, by, reason }) => [kind, text, ...(by ? [by] : []), ...(reason ? [reason] : [])]);
}

test('`importTimeline` tells who asked for an import, its steps and what failed, of what time it is, and what came of it', () => {
	const view = { machine: 'web01', outcome: 'imported', restorePoint: at(0), cancelled: null, failure: null };
	assert.deepEqual(
		told([
			{ kind: 'started', content: { source: 'web', machine: 'web01' } },
			{ kind: 'step_finished', name: 'sweepImports', content: { ended: 0, left: ['import 1: denied'] } },
			{ kind: 'step_finished', name: 'beginImport', content: { takenAt: at(1) } },
			{ kind: 'step_started', name: 'copyImport', attempt: 3, failure },
			{ kind: 'step_finished', name: 'copyImport', content: { newBytes: 2 ** 20, storedBytes: 2 ** 19 } },
			{ kind: 'finished', content: view },
		]),
		[
			['requested', 'backup of web01 from web requested', 'ann', 'nightly'],
			['step', 'removal of what earlier imports have left done'],
			['step', 'left over of import 1: denied'],
			['step', 'beginning of the moment on the platform done'],
			['incident', 'service_died: control-worker (pid 7) ended'],
			['step', `the machine as it was ${at(1)}`],
			['step_failed', 'copying of the disks: attempt 2 failed: connection reset'],
			['step', 'copying of the disks done'],
			['step', '1.00 MiB were new and take 512 KiB'],
			['end', `stored as web01@${at(0)}`],
		],
	);
});

test('`importTimeline` of one that was cancelled, that failed, or was ended by force says so', () => {
	const view = { machine: 'web01', outcome: 'failed', restorePoint: null, cancelled: null, failure };
	const end = (content: unknown, kind: HistoryEntry['kind'] = 'finished') =>
		told([{ kind: 'started' }, { kind, content }]).at(-1);
	assert.deepEqual(end({ ...view, cancelled: 'cancelled by ben' }), ['end', 'cancelled by ben']);
	assert.deepEqual(end(view), ['end', 'failed: source_unreachable: connection reset']);
	assert.deepEqual(end('by hand', 'terminated'), ['end', 'workflow terminated: by hand']);
});
