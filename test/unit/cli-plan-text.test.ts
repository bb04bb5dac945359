import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planText } from '../../cli/recover/plan-text.ts';
import { makeRequest, planOf } from '../equipment/recovery-request.ts';
import { sampleHardware } from '../equipment/sample-config.ts';

test('a plan tells what the platform chose and why, and the warnings of both', () => {
	const request = makeRequest();
	const choices = [{ what: 'disks', chosen: 'SATA', why: 'no driver is known to be in the guest' }];
	const hardware = { ...sampleHardware, choices, warnings: ['slow'] };
	const text = planText(request, { ...planOf(request), hardware, warnings: ['link down', 'slow'] }, []);
	assert.match(text, /^ {2}chosen +disks: SATA \(no driver is known to be in the guest\)$/m);
	assert.match(text, /^ {2}warning +link down\n {2}warning +slow\n[^ ]/m);
});

test('a plan tells which ports of the host lead to the guest', () => {
	const forwards = [{ address: '127.0.0.1', port: 2222, guestPort: 22 }];
	const text = planText(makeRequest(), { ...planOf(makeRequest()), forwards }, []);
	assert.match(text, /^ {2}forward +127\.0\.0\.1:2222 of the host leads to port 22 of the guest$/m);
});

test('a plan with a network that leads nowhere says where it may lead', () => {
	const nics = [{ mac: '52:54:00:00:00:01', network: 'lan', target: 'none' }];
	const text = planText(makeRequest(), { ...planOf(makeRequest()), nics }, ['user', 'bridge:br0']);
	assert.match(text, /^ {2}note +--network lan=NAME says where it leads: user, bridge:br0, none$/m);
});
