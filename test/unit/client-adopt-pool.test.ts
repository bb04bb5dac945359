import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adopt, adoptAll } from '../../client/adoptions.ts';
import type { Adoption } from '../../model/adoption.ts';
import { makeRequest, testHostId } from '../equipment/recovery-request.ts';
import { sampleHostView, sampleRecoveryView } from '../equipment/sample-host.ts';

const pool = [
	{ host: 'local', hostId: testHostId },
	{ host: 'kvm2', hostId: '9f6a1c1e-77a4-4f0e-8a55-0d6f5d2f4c11' },
];

/** A host that has one recovery, of which no workflow is known. */
function hostWith(changes: Partial<Adoption>) {
	const started: string[] = [];
	const { recoveryId, name } = sampleRecoveryView;
	const adoption: Adoption = {
		recoveryId,
		generation: 3,
		request: makeRequest({ name, pool }),
		plan: null,
		done: ['reserve'],
		powerOnScheduled: false,
		abandoned: false,
		power: 'off',
		powerDesired: 'off',
		powerOrder: 0,
		copy: { wanted: false, maxRateBytes: 0 },
		restored: false,
		switch: { stage: 'none', pauseMs: null },
		...changes,
	};
	const parties = {
		recoveries: {
			find: async () => undefined,
			peek: async () => assert.fail('none is open'),
			goOn: async ({ name: adopted }: { name: string }) => void started.push(adopted),
		},
		supervisor: {
			adoption: async () => adoption,
			host: async () => sampleHostView,
			recoveries: async () => [{ ...sampleRecoveryView, state: 'active' as const }],
		},
	};
	return { parties, started, name };
}

const asked = { by: 'tester', reason: 'because' };

test('`adoptAll` passes over a recovery over a pool that was not powered on here, which `adopt` takes up by its name', async () => {
	const { parties, started, name } = hostWith({});
	const [answer] = await adoptAll(parties, asked);
	assert.deepEqual([answer?.outcome, answer?.failure?.code, started], ['failed', 'phase_wrong', []]);
	assert.equal((await adopt(parties, name, asked)).outcome, 'adopted');
	assert.deepEqual(started, [name]);
});

for (const [what, changes] of [
	['that was powered on here', { powerOnScheduled: true }],
	['that is of one host', { request: makeRequest() }],
] as const)
	test(`\`adoptAll\` takes up a recovery ${what}`, async () => {
		const { parties, started } = hostWith(changes);
		assert.deepEqual(
			(await adoptAll(parties, asked)).map(({ outcome }) => outcome),
			['adopted'],
		);
		assert.equal(started.length, 1);
	});
