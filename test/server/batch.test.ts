/** A batch on a real server, with a simulated host: what the activities of a control worker find and order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchTimeline } from '../../client/batch/timeline.ts';
import { Batches } from '../../client/batches.ts';
import { type TemporalClient, connectTemporal } from '../../client/connection.ts';
import { Recoveries } from '../../client/recoveries.ts';
import { hashRequest, makeRequest } from '../../client/requests.ts';
import type { BatchItem, BatchPlan } from '../../model/batch.ts';
import { itemRequest } from '../../model/batch-requests.ts';
import type { BatchView } from '../../model/batch-view.ts';
import { SupervisorClient } from '../../supervisor/client.ts';
import { waitFor } from '../../system/wait.ts';
import { EmbeddedInstallation } from '../equipment/embedded-installation.ts';
import { storePoints } from '../equipment/fleet/stored-points.ts';
import { fastDirectory } from '../equipment/simulated-bench.ts';

const timeoutMs = 90_000;

async function planOn({ installation, repository }: EmbeddedInstallation): Promise<BatchPlan> {
	const [point] = await storePoints(repository);
	assert.ok(point);
	const host = await SupervisorClient.of(installation).host();
	const items: BatchItem[] = [];
	for (const [name, group] of [
		['db1', 'db'],
		['w1', 'web'],
		['w2', 'web'],
		['lost', 'web'],
	] as const) {
		const made = await makeRequest(
			{ machine: point.machine, point: point.restorePoint },
			{ name, finish: 'manual', switch: 'auto', allocate: 'thin', powerOn: true },
			{ networks: {}, repository, host },
		);
		const request = name === 'lost' ? { ...made, manifestDigest: 'f'.repeat(64) } : made;
		items.push({ name, group, requestHash: hashRequest(request), differs: request });
	}
	const groups = [
		{ name: 'db', after: [] },
		{ name: 'web', after: ['db'] },
	];
	const more = { window: 2, onFailure: 'continue', reason: 'a test', requestedBy: 'tester' } as const;
	return { name: 'site', common: {}, items, groups, ...more };
}

async function untilOver(temporal: TemporalClient): Promise<Record<string, BatchView['items'][number]>> {
	const batches = new Batches(temporal);
	const { items } = await waitFor(
		'the batch to be over',
		async () => {
			const { summary, view } = await batches.view('site');
			assert.ok(['RUNNING', 'COMPLETED', 'CONTINUED_AS_NEW'].includes(summary.workflow), summary.workflow);
			return view.phase === 'over' && view;
		},
		{ timeoutMs, everyMs: 200 },
	);
	return Object.fromEntries(items.map(item => [item.name, item]));
}

function told(items: Record<string, BatchView['items'][number]>): unknown[] {
	return Object.values(items).map(({ state, phase, found }) => [state, phase, found]);
}

test('a batch starts, is retried and discarded over its ends, and finds what exists each time', async t => {
	const here = await EmbeddedInstallation.up(t, 'host: {kind: simulated}', fastDirectory);
	const temporal = await connectTemporal(here.installation);
	t.after(() => temporal.close());
	const batches = new Batches(temporal);
	const recoveries = new Recoveries(temporal);
	const plan = await planOn(here);

	const someone = plan.items.find(({ name }) => name === 'w2');
	assert.ok(someone);
	await recoveries.start(itemRequest(plan, someone));
	assert.equal(await batches.start(plan), 'started');
	const first = await untilOver(temporal);
	assert.deepEqual(told(first), [
		['ready', 'running', false],
		['ready', 'running', false],
		['ready', 'running', true],
		['ended', 'failed', false],
	]);
	const { db1, w1 } = first;
	assert.ok(db1?.readyMs && w1?.startedMs && w1.startedMs >= db1.readyMs);
	assert.equal((await recoveries.peek('db1')).recoveryId, db1.recoveryId);

	await batches.retry('site', { reason: 'once more' });
	const again = await untilOver(temporal);
	assert.deepEqual(told(again), [
		['ready', 'running', true],
		['ready', 'running', true],
		['ready', 'running', true],
		['ended', 'failed', false],
	]);
	assert.equal(again['db1']?.recoveryId, db1.recoveryId);
	assert.notEqual(again['lost']?.recoveryId, first['lost']?.recoveryId);

	await batches.discard('site', { confirm: 'site', reason: 'over' });
	assert.deepEqual(told(await untilOver(temporal)), [
		['ended', 'discarded', true],
		['ended', 'discarded', true],
		['ready', 'running', true],
		['left_out', null, false],
	]);
	await batches.discard('site', { confirm: 'site', found: ['w2'] });
	assert.deepEqual(told(await untilOver(temporal)), [
		['refused', 'discarded', false],
		['refused', 'discarded', false],
		['ended', 'discarded', true],
		['left_out', null, false],
	]);
	assert.equal((await recoveries.peek('db1')).phase, 'discarded');

	const listed = async () => (await batches.histories('site')).length === 4;
	await waitFor('all beginnings of the batch to be listed', listed, { timeoutMs, everyMs: 200 });
	const entries = batchTimeline(await batches.histories('site'), { deaths: [], outages: [] });
	assert.deepEqual(
		entries
			.filter(({ kind }) => kind === 'requested' || kind === 'order')
			.map(({ text }) => text.replace(/ in .*/, '')),
		[
			'4 machines',
			'begun again: 4 machines',
			'retry, of what exists',
			'begun again: 4 machines',
			'discard, of what exists',
			'begun again: 4 machines',
			'discard, of what exists, also of w2',
		],
	);

	assert.equal(await batches.start(plan), 'started');
	assert.deepEqual(
		Object.values(await untilOver(temporal)).map(({ state, code }) => [state, code]),
		[
			['refused', 'name_conflict'],
			['refused', 'name_conflict'],
			['refused', 'name_conflict'],
			['ended', first['lost']?.code],
		],
	);
});
