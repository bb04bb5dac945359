import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkInputs } from '../../activities/checked-inputs.ts';
import { createHostActivities } from '../../activities/host-activities.ts';
import type { HostDependencies, Supervisor } from '../../activities/host-attempt.ts';
import { hostSteps } from '../../activities/host/steps.ts';
import { type ErrorCode, RouseError } from '../../model/errors.ts';
import { stepBodies, type StepName } from '../../supervisor/protocol.ts';
import { leaseRequest } from '../equipment/broker-site.ts';
import { makeRequest, planOf, testHostId } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';

const input = { hostId: testHostId, name: 'web01-r1', recoveryId: testHostId, generation: 3 };
const request = makeRequest({ platformOptions: { disks: 'fast' } });
const plan = planOf(request);
const call = { recoveryId: testHostId, generation: 3 };

const lease = {
	request: leaseRequest('web01-r1', { hosts: ['local'], onHost: { recoveries: 1 } }),
	host: 'local',
	token: 9,
};
const unpinned = { code: 'space_short', reason: 'no space is left' };

/** What each step gets beside the call, and answers with; a newer supervisor says more. */
const steps: Record<keyof ReturnType<typeof hostSteps>, { own?: object; body?: object; answer?: object }> = {
	reserve: { own: { request, lease }, body: { limit: 5, request, lease } },
	allocate: { own: { plan }, body: { plan } },
	createMachine: {},
	startMovers: {},
	snapshot: {},
	powerOn: { own: { on: false }, body: { on: false } },
	pauseMigration: {},
	switchToTarget: { answer: { pauseMs: 4 } },
	finalize: { answer: { incidents: [], afterReport: 7 } },
	discard: { answer: { incidents: [], wasHere: true } },
	undo: { own: { left: true }, body: { left: true }, answer: { wasHere: false } },
	power: { own: { action: 'off', order: 2 }, body: { action: 'off', order: 2 }, answer: { power: 'off' } },
	retry: {},
	keepFirstReads: { answer: { chunks: 9 } },
	unpinned: { own: unpinned, body: unpinned },
	oweUnpin: { own: { repository: '/srv/repository' }, body: { repository: '/srv/repository' } },
};

function hostOf(supervisor: Partial<Record<keyof Supervisor, unknown>>): HostDependencies {
	return {
		hostId: testHostId,
		supervisor: supervisor as unknown as Supervisor,
		recoveries: 5,
		reportCapacity: async () => undefined,
		checks: '/nowhere',
	};
}

async function run(
	activity: (input: never) => Promise<unknown>,
	own: object | undefined,
	activityType: string,
): Promise<unknown> {
	const logger = new DefaultLogger('ERROR');
	const environment = new MockActivityEnvironment({ activityType }, { logger, interceptors: [checkInputs] });
	return environment.run(activity as (input: object) => Promise<unknown>, { ...input, ...own });
}

for (const [name, { own, body, answer }] of Object.entries(steps))
	test(`${name} asks for the step of its name, with what is its own, and answers with no more than is known`, async () => {
		const asked: [name: string, step: string, body: unknown][] = [];
		const step = async (...question: (typeof asked)[number]) => {
			asked.push(question.slice(0, 3) as typeof question);
			return { ...answer, newer: true };
		};
		const activities = hostSteps(hostOf({ step }));
		assert.deepEqual(await run(activities[name as keyof typeof steps], own, name), answer);
		const wanted = name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
		assert.deepEqual(asked, [['web01-r1', wanted, { ...call, ...body }]]);
		stepBodies[wanted as StepName].parse(asked[0]?.[2]);
	});

test('pauseMigration is tried again until its host has room for it; where the host is further it is not', async () => {
	const failing = (code: ErrorCode) => {
		const step = () => Promise.reject(new RouseError(code, 'not now'));
		return run(hostSteps(hostOf({ step })).pauseMigration, {}, 'pauseMigration');
	};
	await assert.rejects(failing('space_short'), { type: 'space_short', nonRetryable: false });
	await assert.rejects(failing('generation_stale'), { type: 'generation_stale', nonRetryable: true });
});

test('chooseHardware asks what the plan says, and answers with what the platform chose', async () => {
	const asked: unknown[] = [];
	const hardware = async (question: unknown) => {
		asked.push(question);
		return sampleHardware;
	};
	const { chooseHardware } = createHostActivities(hostOf({ hardware }));
	assert.deepEqual(await run(chooseHardware, { plan }, 'chooseHardware'), sampleHardware);
	const { config, nics, disks } = plan;
	const diskSizesBytes = disks.map(({ sizeBytes }) => sizeBytes);
	assert.deepEqual(asked, [{ config, nics, diskSizesBytes, options: { disks: 'fast' } }]);
});

test('`leasesGone` answers when the broker has been told what the host has since, and not before', async () => {
	const requestIds = ['recovery/web01-r1/a/run', 'recovery/web02-r1/a/run'];
	const happened: string[] = [];
	const leasesGone = async (asked: string[]) => {
		happened.push(`fenced ${asked.length}`);
		return asked.slice(0, 1);
	};
	const host = {
		...hostOf({ leasesGone }),
		reportCapacity: async () => {
			happened.push('reported');
			if (happened.length < 3) throw new RouseError('temporal_unreachable', 'the signal went nowhere');
		},
	};
	const ask = async () => {
		const logger = new DefaultLogger('ERROR');
		const environment = new MockActivityEnvironment(
			{ activityType: 'leasesGone' },
			{ logger, interceptors: [checkInputs] },
		);
		return environment.run(createHostActivities(host).leasesGone, { hostId: testHostId, requestIds });
	};
	await assert.rejects(ask(), { type: 'temporal_unreachable' });
	assert.deepEqual(await ask(), requestIds.slice(0, 1));
	assert.deepEqual(happened, ['fenced 2', 'reported', 'fenced 2', 'reported']);
});
