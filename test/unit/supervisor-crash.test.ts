/** Guests that crash on a simulated host which knows a way of running them that asks less of it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sector, simulate } from '../equipment/simulated-recovery.ts';

const crash = 'it met what nobody can run';
const blocked = {
	code: 'machine_failed',
	reason: `the guest has crashed: ${crash}; what it had written is kept`,
	next: { order: 'power-reset' },
};

test('a guest that crashes before it has written is started again in the other way, once', async t => {
	const simulation = await simulate(t, { fallBack: 'emulation' });
	const { host, recovery, calls, guest } = simulation;
	await recovery.run();
	const { boot } = guest;
	guest.crash(crash);
	const { message } = await simulation.incident('machine_crashed');
	assert.equal(message, `the guest had written nothing when it crashed (${crash}); it is started by emulation`);
	await recovery.viewed('running', ({ power }) => power === 'on');
	assert.notEqual(guest.boot, boot);
	assert.deepEqual(await guest.read(0, 0, sector), simulation.backedUp(0));
	guest.crash(crash);
	const view = await recovery.viewed('blocked', one => one.blocked !== null);
	assert.deepEqual([view.power, view.blocked], ['crashed', blocked]);
	await simulation.looks(2);
	assert.equal(calls.times('fallBack'), 1);
	const incidents = await host.client.incidents('r1');
	assert.deepEqual(
		incidents.map(({ kind, count }) => [kind, count]),
		[
			['machine_crashed', 1],
			['machine_failed', 1],
		],
	);
});

test('a guest that crashes after it has written stands crashed until `power reset`, and the recovery where it was', async t => {
	const simulation = await simulate(t, { fallBack: 'emulation' });
	const { recovery, calls, guest } = simulation;
	await recovery.run();
	await guest.write(0, sector, Buffer.alloc(sector, 7));
	const before = { view: await recovery.viewed('running', ({ power }) => power === 'on'), boot: guest.boot };
	guest.crash(crash);
	const { incidents: _more, ...view } = await recovery.viewed('blocked', one => one.blocked !== null);
	await simulation.looks(2);
	assert.equal(guest.boot, before.boot, 'it was started again');
	assert.equal(calls.times('fallBack'), 0);
	const { incidents: _none, ...wanted } = { ...before.view, power: 'crashed', blocked };
	assert.deepEqual(view, wanted);
	assert.deepEqual(await recovery.step('power', { action: 'reset' }), { power: 'on' });
	assert.deepEqual(await guest.read(0, sector, sector), Buffer.alloc(sector, 7));
	await recovery.viewed('not blocked', one => one.blocked === null && one.power === 'on');
});
