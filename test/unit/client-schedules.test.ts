/** What the client makes of Temporal's answers about a schedule. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Client, Connection, ServiceError } from '@temporalio/client';
import { ImportSchedules } from '../../client/import-schedules.ts';
import { ClientCodec } from '../../system/payload-codec.ts';
import { repositoryId } from '../equipment/import-documents.ts';

function schedulesOf(t: TestContext, { fails, described }: { fails?: Error; described?: object }): ImportSchedules {
	const connection = Connection.lazy({ address: '127.0.0.1:1' });
	const client = new Client({ connection });
	t.after(() => connection.close());
	t.mock.method(client.schedule, 'create', () => Promise.reject(fails));
	t.mock.method(client.schedule, 'getHandle', () => ({ describe: async () => described }));
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
