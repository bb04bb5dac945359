import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policySchema, recoveryStatusSchema, type RecoveryStatus } from '../../model/recovery.ts';

const at = '2026-11-20T03:00:00.000Z';
const policy = { finish: 'manual', switch: 'auto', maxRateBytes: 0 } as const;
const status: RecoveryStatus = {
	name: 'web01-r1',
	recoveryId: '3b241101-e2bb-4255-8caf-4136c566a962',
	machine: 'web01',
	machineName: 'web01-r1',
	restorePoint: at,
	host: 'local',
	phase: 'running',
	parked: null,
	power: 'on',
	policy,
	generation: 1,
	timings: { requestedAt: at },
	incidents: [],
	failure: { code: 'chunk_bad', message: 'a chunk' },
};

test('`recoveryStatusSchema` takes what it knows of a status from a newer worker', () => {
	const newer = {
		...status,
		mood: 'calm',
		policy: { ...policy, mood: 'calm' },
		timings: { ...status.timings, mood: 'calm' },
		failure: { ...status.failure, mood: 'calm' },
	};
	assert.deepEqual(recoveryStatusSchema.parse(newer), status);
});

test('`policySchema` refuses an order with a field that it does not know', () => {
	assert.equal(policySchema.safeParse({ ...policy, mood: 'calm' }).success, false);
});
