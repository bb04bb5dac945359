import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { selftest, type RunSelftest } from '../../activities/host/selftest.ts';
import type { Supervisor } from '../../activities/host-attempt.ts';
import type { SelftestReport } from '../../model/selftest.ts';
import { testHostId } from '../equipment/recovery-request.ts';

const nobody = () => Promise.reject(new Error('not to be called'));
const supervisor: Supervisor = {
	step: nobody,
	host: nobody,
	hardware: nobody,
	recovery: nobody,
	recoveries: nobody,
	agent: nobody,
	incidents: nobody,
	capacity: nobody,
	leasesGone: nobody,
	agentRun: nobody,
	screenshot: nobody,
	console: nobody,
};
const host = { hostId: testHostId, supervisor, recoveries: 1, reportCapacity: nobody, checks: '/nowhere' };
const report: SelftestReport = {
	version: 0,
	rouse: '0.0.0',
	startedAt: '2026-11-29T00:00:00.000Z',
	durationMs: 1,
	long: true,
	interrupted: true,
	checks: [],
	settings: [],
	left: [],
};

test('the activity `selftest` tells in its heartbeats all that was told, and ends with the report also when it is cancelled', async () => {
	const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
	const beats: unknown[] = [];
	environment.on('heartbeat', (details: unknown) => beats.push(structuredClone(details)));
	const run: RunSelftest = async ({ long, signal, tell }) => {
		tell({ type: 'message', message: `long: ${long}` });
		tell({ type: 'trying', name: 'driver-answers' });
		environment.cancel('CANCELLED');
		assert.equal(signal.aborted, true);
		return report;
	};
	const answer = await environment.run(selftest(host, run), { hostId: testHostId, long: true });
	assert.deepEqual(answer, report);
	const [first, second] = beats;
	assert.deepEqual(first, [{ type: 'message', message: 'long: true' }]);
	assert.deepEqual(second, [
		{ type: 'message', message: 'long: true' },
		{ type: 'trying', name: 'driver-answers' },
	]);
});

test('the activity `selftest` for another host does nothing', async () => {
	const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
	const other = { hostId: '0b2a8f52-58a5-4c6a-9d8e-0e4f6a7d1c11', long: false };
	await assert.rejects(environment.run(selftest(host, nobody), other), { type: 'identity_conflict' });
});
