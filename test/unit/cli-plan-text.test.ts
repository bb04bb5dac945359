import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planText } from '../../cli/recover/plan-text.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';

test('a plan tells what the platform chose and why, and the warnings of both', () => {
	const request = makeRequest();
	const choices = [{ what: 'disks', chosen: 'SATA', why: 'no driver is known to be in the guest' }];
	const hardware = { ...sampleHardware, choices, warnings: ['slow'] };
	const text = planText(request, { ...planOf(request), hardware, warnings: ['link down'] });
	assert.match(text, /^ {2}chosen +disks: SATA \(no driver is known to be in the guest\)$/m);
	assert.match(text, /^ {2}warning +link down\n {2}warning +slow$/m);
});
