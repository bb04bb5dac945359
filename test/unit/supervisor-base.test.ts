import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { MachineObservation } from '../../hypervisors/contract.ts';
import { RouseError } from '../../model/errors.ts';
import type { MountMoverState } from '../../movers/config.ts';
import { newState, type RecoveryState } from '../../supervisor/files/state.ts';
import { keepBase } from '../../supervisor/reconcile/base.ts';
import { samplePlan } from '../equipment/recoveries.ts';

const mount: MountMoverState = {
	recoveryId: randomUUID(),
	disks: [],
	badChunks: [],
	failure: null,
	waitingReads: 0,
	oldestWaitMs: 0,
	failing: false,
	counters: {},
};
const image = {
	sizeBytes: 4096,
	chunkSizeBytes: 65536,
	frameSizeBytes: 65_536,
	contentDigest: 'b'.repeat(64),
	dataBytes: 0,
};
const runs: MachineObservation = { power: 'on', byGuest: false, ioError: undefined, crash: undefined };
const needing: RecoveryState = {
	...newState(mount.recoveryId, 'r1', 1),
	plan: samplePlan({ directory: '/repository', image }),
	done: ['start-movers'],
};

function prepare(state: RecoveryState, answers = true) {
	const calls: string[] = [];
	const seen = {
		machine: undefined as MachineObservation | undefined,
		mount: answers ? mount : undefined,
		moverErrors: [1, 2, 3],
		baseFailure: undefined as RouseError | undefined,
		notBefore: { base: 0 },
	};
	const fate = { now: 1_000, keep: async () => false };
	const machine = {
		keepBase: async () => {
			calls.push('keepBase');
			return fate.keep();
		},
		resume: async () => void calls.push('resume'),
		observe: async () => runs,
	};
	const context = {
		recovery: {
			state,
			seen,
			equipment: { machine },
			incidents: { add: async (kind: string) => void calls.push(kind) },
		},
		host: { clock: { now: () => fate.now } },
		signal: new AbortController().signal,
	};
	return { calls, seen, fate, look: () => keepBase(context) };
}

test('the base is not asked for before the mount mover answers', async () => {
	const { calls, look } = prepare(needing, false);
	assert.equal(await look(), false);
	assert.deepEqual(calls, []);
});

for (const chain of ['local', 'target'] as const)
	test(`after the mark \`${chain}\` nothing of the base is started`, async () => {
		const { calls, look } = prepare({ ...needing, chain });
		assert.equal(await look(), true);
		assert.deepEqual(calls, []);
	});

test('a base that was started anew: the guest goes on, what it stood at counts no more, and an incident tells it', async () => {
	const { calls, seen, fate, look } = prepare(needing);
	fate.keep = async () => true;
	assert.equal(await look(), false);
	assert.deepEqual(calls, ['keepBase', 'resume', 'mover_died']);
	assert.deepEqual([seen.moverErrors, seen.machine], [[], runs]);
	// One that dies at once is not started all the time.
	fate.now += 4_999;
	assert.equal(await look(), false);
	assert.equal(calls.length, 3);
	fate.now += 1;
	fate.keep = async () => false;
	assert.equal(await look(), true);
});

test('a base that cannot be had is thrown at every look, and asked for every five seconds', async () => {
	const { calls, seen, fate, look } = prepare(needing);
	fate.keep = () => Promise.reject(new RouseError('hypervisor_stuck', 'no answer'));
	await assert.rejects(look(), { code: 'hypervisor_stuck' });
	fate.now += 4_999;
	await assert.rejects(look(), { code: 'hypervisor_stuck' });
	assert.deepEqual(calls, ['keepBase']);
	fate.now += 1;
	fate.keep = async () => false;
	assert.equal(await look(), true);
	assert.deepEqual([seen.baseFailure, seen.moverErrors.length], [undefined, 3]);
});
