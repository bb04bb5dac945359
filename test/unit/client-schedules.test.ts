/** What the client makes of Temporal's answers about a schedule. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, Connection, ServiceError, WorkflowFailedError } from '@temporalio/client';
import { ApplicationFailure, ChildWorkflowFailure, TerminatedFailure } from '@temporalio/common';
import { ImportSchedules } from '../../client/import-schedules.ts';
import { ClientCodec } from '../../system/payload-codec.ts';
import { repositoryId } from '../equipment/import-documents.ts';

function schedulesOf(
	t: TestContext,
	{ fails, described, ran = {} }: { fails?: Error; described?: object; ran?: object },
): ImportSchedules {
	const connection = Connection.lazy({ address: '127.0.0.1:1' });
	const client = new Client({ connection });
	t.after(() => connection.close());
	t.mock.method(client.schedule, 'create', () => Promise.reject(fails));
	t.mock.method(client.schedule, 'getHandle', () => ({ describe: async () => described }));
	t.mock.method(client.workflow, 'getHandle', () => ran);
	t.mock.method(client.schedule, 'list', async function* () {});
	const target = { address: '127.0.0.1:1', namespace: 'default' };
	return new ImportSchedules({
		client,
		target,
		codec: new ClientCodec(),
		caller: 'ann',
		close: () => connection.close(),
	});
}

const source = { source: 'web', repository: '/srv/backups', repositoryId, machine: 'web01' };
const times = { times: { cron: '99 3 * * *' }, when: '99 3 * * *' };

test('times that the server does not take are the wrong ones, and no fault of ours', async t => {
	const refused = new TypeError('Minute is not in range [0-59]'); // as the SDK has it of the server
	await assert.rejects(schedulesOf(t, { fails: refused }).create(source, times), {
		code: 'usage',
		message: /Minute is not in range/,
	});
	const away = new ServiceError('Failed to create schedule');
	await assert.rejects(schedulesOf(t, { fails: away }).create(source, times), { code: 'temporal_unreachable' });
});

test('a schedule that somebody has paused has no next time', async t => {
	const info = {
		nextActionTimes: [new Date('2026-11-21T03:00:00.000Z')],
		recentActions: [],
		numActionsSkippedOverlap: 1,
		numActionsMissedCatchupWindow: 2,
	};
	for (const [paused, nextAt] of [
		[false, '2026-11-21T03:00:00.000Z'],
		[true, null],
	] as const) {
		const schedules = schedulesOf(t, { described: { memo: undefined, info, state: { paused } } });
		assert.partialDeepStrictEqual(await schedules.list({ made: 'web' }), [
			{ source: 'web', nextAt, skipped: 1, missed: 2 },
		]);
	}
});

test('a schedule whose last backup has failed says why, also when that was ended by force or refused', async t => {
	const takenAt = new Date('2026-11-21T03:00:00.000Z');
	const info = {
		nextActionTimes: [],
		recentActions: [{ takenAt, action: { workflow: { workflowId: 'import-schedule/web-1' } } }],
		numActionsSkippedOverlap: 0,
		numActionsMissedCatchupWindow: 0,
	};
	const document = { code: 'space_short', message: 'the group is full', hint: 'add a disk' };
	const own = ApplicationFailure.create({ message: document.message, type: document.code, details: [document] });
	const child = new ChildWorkflowFailure(
		'default',
		{ workflowId: 'import', runId: '1' },
		'import',
		'NON_RETRYABLE_FAILURE',
		own,
	);
	for (const [status, cause, failure] of [
		['FAILED', own, document],
		['FAILED', child, document],
		['TERMINATED', new TerminatedFailure('by ann'), { code: 'interrupted', message: 'by ann' }],
	] as const) {
		const describe = async () => ({ status: { name: status } });
		const result = async () =>
			Promise.reject(new WorkflowFailedError('Workflow execution failed', cause, 'IN_PROGRESS'));
		const schedules = schedulesOf(t, { described: { info, state: { paused: false } }, ran: { describe, result } });
		assert.partialDeepStrictEqual(await schedules.list({ made: 'web' }), [{ last: 'failed', failure }]);
	}
});
