/** The rules of the supervisor's steps, on a simulated host. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { openInstallation } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';
import { sector, simulate } from '../equipment/simulated-recovery.ts';

test('`reserve` on a host that is full is refused with numbers, and has room again after a discard', async t => {
	const { host, plan, recovery } = await simulate(t);
	const second = new SteppedRecovery(host, plan, 'r2');
	await recovery.step('reserve', { limit: 1 });
	await recovery.step('reserve', { limit: 1 }, { again: true });
	await assert.rejects(second.step('reserve', { limit: 1 }), { code: 'host_busy', message: /1 of 1/ });
	await recovery.step('discard', {});
	await second.step('reserve', { limit: 1 });
});

test('every step under a name that another recovery holds is a conflict', async t => {
	const { host, plan, recovery } = await simulate(t);
	await recovery.step('allocate', { plan });
	const other = new SteppedRecovery(host, plan);
	const conflict = { code: 'identity_conflict', message: /r1 is another recovery on this host/ };
	await assert.rejects(other.step('reserve', { limit: 8 }), conflict);
	await assert.rejects(other.step('allocate', { plan }), conflict);
	await assert.rejects(other.step('snapshot', {}), { code: 'recovery_unknown' });
	await other.step('discard', {}); // touches nothing but its own tombstone
	assert.equal((await recovery.view()).recoveryId, recovery.recoveryId);
});

test('`allocate` that comes late, after the discard of what was never there, is refused', async t => {
	const { host, plan, recovery } = await simulate(t);
	recovery.generation = 4;
	await recovery.step('discard', {});
	recovery.generation = 2;
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'generation_stale' });
	await assert.rejects(recovery.step('snapshot', {}), { code: 'generation_stale' });
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('after a discard every step is refused but `discard`, whose answer stays the same', async t => {
	const simulation = await simulate(t);
	const { recovery } = simulation;
	await recovery.run();
	await recovery.step('incident', { kind: 'attempt_failed', message: 'snapshot' });
	const ended = await recovery.step('discard', {});
	assert.deepEqual(
		ended.incidents.map(({ kind }) => kind),
		['attempt_failed'],
	);
	recovery.generation = 100;
	await assert.rejects(recovery.step('power-on', { on: true }), { code: 'generation_stale' });
	await simulation.stop();
	await simulation.start();
	assert.deepEqual(await recovery.step('discard', {}), ended);
});

test('a lower generation is refused, also by the supervisor that comes after', async t => {
	const simulation = await simulate(t);
	const { plan, recovery } = simulation;
	recovery.generation = 6;
	await recovery.step('allocate', { plan });
	recovery.generation = 3;
	await assert.rejects(recovery.step('create-machine', {}), { code: 'generation_stale' });
	await simulation.stop();
	await simulation.start();
	await assert.rejects(recovery.step('create-machine', {}), { code: 'generation_stale' });
	await assert.rejects(recovery.step('discard', {}), { code: 'generation_stale' });
});

test('a step before what it stands on is refused by name', async t => {
	const { plan, recovery } = await simulate(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(recovery.step('snapshot', {}), { code: 'phase_wrong', message: /create-machine, start-movers/ });
	await assert.rejects(recovery.step('power', { action: 'on' }), { code: 'phase_wrong' });
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'phase_wrong' });
	await assert.rejects(recovery.step('finalize', {}), { code: 'phase_wrong' });
});

test('`power-on`: that it was scheduled is durable before the machine is started, and a repeat starts nothing', async t => {
	const simulation = await simulate(t);
	const { recovery, calls } = simulation;
	let scheduled: boolean | undefined;
	calls.before = async call => {
		if (call === 'powerOn') scheduled = (await simulation.state()).powerOnScheduled;
	};
	await recovery.run();
	assert.equal(scheduled, true);
	const { boot } = simulation.guest;
	assert.notEqual(boot, undefined);
	await recovery.step('power-on', { on: true }, { again: true });
	assert.equal(simulation.guest.boot, boot);
	assert.deepEqual(calls.order('create', 'snapshot', 'powerOn'), ['create', 'snapshot', 'powerOn']);
});

test('`finalize`: a finished machine is known by machine.json alone, and its disks are never allocated over', async t => {
	const simulation = await simulate(t);
	const { host, plan, recovery } = simulation;
	await simulation.finish();
	await simulation.stop();
	await rm(join(host.installation.home, 'host', 'tombstones'), { recursive: true });
	await simulation.start();
	assert.equal((await recovery.view()).state, 'finished');
	recovery.generation = 1000;
	await assert.rejects(recovery.step('allocate', { plan }), {
		code: 'identity_conflict',
		message: /r1 is a finished machine on this host/,
	});
	await assert.rejects(host.client.removeMachine('r1', randomUUID()), { code: 'identity_conflict' });
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	assert.equal(simulation.guest.boot, undefined);
	await host.client.removeMachine('r1', recovery.recoveryId);
	await assert.rejects(recovery.view(), { code: 'recovery_unknown' });
});

test('`DELETE /machines` of a recovery is refused', async t => {
	const { host, plan, recovery } = await simulate(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(host.client.removeMachine('r1'), { code: 'phase_wrong' });
});

for (const like of ['process', 'service'] as const)
	test(`after a reboot of the host a machine like a ${like} stays off until \`power on\`, and reads through its base`, async t => {
		const simulation = await simulate(t, { like });
		const { recovery, calls, guest } = simulation;
		await recovery.run();
		await guest.write(0, 0, Buffer.alloc(sector, 7));
		await simulation.reboot();
		await simulation.start();
		const { blocked } = await recovery.viewed('waiting for a word', view => view.blocked !== null);
		assert.deepEqual([blocked?.code, blocked?.next.order], ['host_rebooted', 'power-on']);
		await simulation.looks(2);
		assert.equal(calls.times('powerOn'), 1);
		assert.equal((await simulation.incident('machine_stopped')).count, 1);
		assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
		assert.deepEqual(await guest.read(0, 0, sector), Buffer.alloc(sector, 7));
		assert.deepEqual(await guest.read(0, 70_656, sector), simulation.backedUp(70_656));
		await recovery.viewed('free', view => view.blocked === null);
	});

test('`migrate-chunks`: a mover that was started again is told again to copy, at the rate of the policy', async t => {
	const held = Promise.withResolvers<number>();
	const { recovery, pair } = await simulate(t, { movers: { freeBytes: () => held.promise } });
	await recovery.run();
	const copy = () => pair.migration.ask(({ migration }) => migration.state());
	await recovery.step('migrate-chunks', { maxRateBytes: 1000 });
	assert.deepEqual([(await copy()).copying, (await copy()).maxRateBytes], [true, 1000]);
	const first = pair.migration.holder;
	await recovery.step('migrate-chunks', { maxRateBytes: 2000 });
	assert.deepEqual([(await copy()).copying, (await copy()).maxRateBytes], [true, 2000]);
	assert.deepEqual(pair.migration.holder, first);
	const dead = pair.migration.die();
	await waitFor('the order', async () => pair.migration.program && (await copy()).copying, { timeoutMs: 30_000 });
	assert.equal((await copy()).maxRateBytes, 2000);
	held.resolve(Number.POSITIVE_INFINITY);
	await dead;
});

test('a recovery of another version is left as it is, and the others go on', async t => {
	const simulation = await simulate(t);
	const { host, plan, recovery } = simulation;
	const other = new SteppedRecovery(host, plan, 'r2');
	await recovery.step('allocate', { plan });
	await other.step('allocate', { plan });
	await simulation.stop();
	await simulation.changeState({ version: 2 });
	await simulation.start();
	await assert.rejects(recovery.step('create-machine', {}), { code: 'format_damaged' });
	await assert.rejects(recovery.step('discard', {}), { code: 'format_damaged' });
	await other.step('create-machine', {});
	assert.equal((await simulation.state()).version, 2);
});

test('`GET /host` tells one id for good', async t => {
	const { host } = await simulate(t);
	const first = await host.client.host();
	assert.equal((await host.client.host()).hostId, first.hostId);
	assert.notEqual(first.hostId, (await openInstallation(host.installation.home)).id);
	assert.ok(first.freeBytes > 0);
});

test('a supervisor that is not there is `supervisor_unreachable`', async t => {
	const simulation = await simulate(t);
	await simulation.stop();
	await assert.rejects(simulation.host.client.host(), {
		code: 'supervisor_unreachable',
		message: /nobody listens/,
	});
});
