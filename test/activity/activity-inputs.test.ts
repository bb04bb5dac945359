/** Whoever reaches Temporal can schedule an activity with any input: nothing begins with one that is not as it must be. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import * as z from 'zod';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { importInputs } from '../../activities/import/inputs.ts';
import { activityInputs } from '../../model/activity-inputs.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';

const request = makeRequest();
const plan = planOf(request);
const call = {
	hostId: request.hostId,
	name: request.name,
	recoveryId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11',
	generation: 3,
};

const item = { name: 'web01-r1', requestHash: 'c'.repeat(64) };

const importId = '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11';
const imported = { source: 'web', repository: '/srv/repository', repositoryId: importId };

/** What the activity was called with, or the failure. */
async function given(activityType: string, ...args: unknown[]): Promise<unknown> {
	const logger = new DefaultLogger('ERROR');
	const environment = new MockActivityEnvironment({ activityType }, { logger, interceptors: [checkInputs] });
	return environment.run(async (...input: unknown[]) => input, ...args);
}

for (const [activity, input, field] of [
	['plan', { request: { ...request, repository: '' } }, 'request.repository'],
	['plan', { request: { ...request, hostId: '../..' } }, 'request.hostId'],
	['pin', { ...call, repository: '/srv' }, 'machine'],
	['unpin', { repository: '/srv/repository', recoveryId: '../../etc/passwd' }, 'machine'],
	['allocate', { ...call, plan: { ...plan, disks: [{ ...plan.disks[0], sizeBytes: -1 }] } }, 'plan.disks.0.sizeBytes'],
	['allocate', { ...call, plan, more: 1 }, 'more'],
	['createMachine', { ...call, name: '../r1' }, 'name'],
	['createMachine', { ...call, recoveryId: 'x\u001b[2J' }, 'recoveryId'],
	['powerOn', { ...call, on: 'yes' }, 'on'],
	['power', { ...call, action: 'constructor', order: 1 }, 'action'],
	['migrateChunks', { ...call, maxRateBytes: Number.NaN }, 'maxRateBytes'],
	['unpinned', { ...call, code: 'toString', reason: '' }, 'code'],
	['askHost', { hostId: call.hostId, question: { about: 'recovery', name: '../r1' } }, 'question.name'],
	['selftest', { hostId: call.hostId, long: 'yes' }, 'long'],
	['prepareItems', { items: [{ name: '../r1', requestHash: 'c'.repeat(64) }], again: false }, 'items.0.name'],
	['lookAtItems', { items: Array.from({ length: 101 }, () => item) }, 'items'],
	['orderItems', { order: 'switch', batch: 'site', by: 'ann', items: [] }, 'order'],
	['orderItems', { order: 'discard', batch: 'site', by: 'ann', items: [item] }, 'items.0.recoveryId'],
	['planImport', { places: { ...imported, repositoryId: 'main' }, importId, machine: 'web01' }, 'places.repositoryId'],
	['planImport', { places: { ...imported, uri: 'ssh://a:b@web01' }, importId, machine: 'web01' }, 'places.uri'],
	['giveUpImport', { places: imported, order: null }, 'order'],
	['answer', null, 'its input'],
	['answer', 'x'.repeat(1_000_000), 'its input'],
] as const)
	test(`${activity} whose ${field} is wrong is refused by name, and not tried again`, async () => {
		await assert.rejects(given(activity, input), (error: unknown) => {
			assert.ok(error instanceof ApplicationFailure);
			assert.deepEqual([error.type, error.nonRetryable], ['input_invalid', true]);
			assert.ok(error.message.startsWith(`${activity}: ${field}: `), error.message);
			assert.ok(error.message.length < 500);
			return true;
		});
	});

test('an activity that is none, and one of no argument or two, is refused', async () => {
	for (const [activity, ...args] of [['toString', call], ['answer'], ['answer', call, call]] as const)
		await assert.rejects(given(activity, ...args), { type: 'input_invalid', nonRetryable: true });
});

test('an activity is called with what was accepted', async () => {
	assert.deepEqual(await given('allocate', { ...call, plan }), [{ ...call, plan }]);
});

const historySchema = z.object({
	events: z.array(
		z.object({
			activityTaskScheduledEventAttributes: z
				.object({
					activityType: z.object({ name: z.string() }),
					input: z.object({ payloads: z.array(z.object({ data: z.base64() })) }),
				})
				.optional(),
		}),
	),
});

test('what every recorded history gave to its activities is accepted as it is', async () => {
	const histories = fileURLToPath(new URL('../histories/', import.meta.url));
	const seen = new Set<string>();
	for (const name of await readdir(histories)) {
		const { events } = historySchema.parse(JSON.parse(await readFile(`${histories}/${name}`, 'utf8')));
		for (const { activityTaskScheduledEventAttributes: scheduled } of events) {
			if (scheduled === undefined) continue;
			const args = scheduled.input.payloads.map(({ data }): unknown =>
				JSON.parse(Buffer.from(data, 'base64').toString()),
			);
			assert.deepEqual(await given(scheduled.activityType.name, ...args), args);
			seen.add(scheduled.activityType.name);
		}
	}
	assert.ok(seen.size > 12, [...seen].join(' '));
	const known = { ...activityInputs, ...importInputs };
	for (const activity of seen) assert.ok(Object.hasOwn(known, activity));
});
