import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adoptedRequest } from '../../client/adopted-request.ts';
import type { Adoption } from '../../model/adoption.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHostView, sampleRecoveryView } from '../equipment/sample-host.ts';

test('`adoptedRequest` made of a plan alone is that of a drill where the plan is', () => {
	const drill = { name: 'weekly' };
	const adoption: Adoption = {
		recoveryId: sampleRecoveryView.recoveryId,
		generation: 3,
		request: null,
		plan: { ...planOf(makeRequest()), drill },
		done: ['reserve', 'allocate'],
		powerOnScheduled: false,
		abandoned: false,
		power: 'off',
		powerDesired: 'off',
		powerOrder: 0,
		copy: { wanted: false, maxRateBytes: 0 },
		restored: false,
		switch: { stage: 'none', pauseMs: null },
	};
	const of = (known: Adoption) => adoptedRequest('web01-drill', known, sampleHostView).request.drill;
	assert.deepEqual([of(adoption), of({ ...adoption, plan: planOf(makeRequest()) })], [drill, undefined]);
});
