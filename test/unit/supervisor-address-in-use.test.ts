import assert from 'node:assert/strict';
import { test } from 'node:test';
import { simulate } from '../equipment/simulated-recovery.ts';

test('a MAC address that somebody else has is an incident before the start, which goes on', async t => {
	const mac = '52:54:00:00:00:01';
	const simulation = await simulate(t, { macsInUse: [mac] });
	simulation.plan.nics.push({ mac, network: 'lan', target: 'lan' });
	await simulation.recovery.run();
	const { message } = await simulation.incident('address_in_use');
	assert.equal(message, `the MAC address ${mac} is in use`);
	assert.deepEqual(simulation.calls.order('addressesInUse', 'powerOn'), ['addressesInUse', 'powerOn']);
	await simulation.recovery.viewed('running', ({ power }) => power === 'on');
});
