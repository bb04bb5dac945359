/** The rules of the supervisor, over real files, with a platform and movers that only remember. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { RecoveryPlan } from '../../model/recovery.ts';
import { openInstallation } from '../../system/installation.ts';
import { waitFor } from '../../system/wait.ts';
import { plan, prepare, restoreAll, stateOf } from '../equipment/pretended-recovery.ts';
import { SteppedRecovery } from '../equipment/recoveries.ts';

test('a host that is full refuses with numbers, and has room again after a discard', async t => {
	const { host, recovery } = await prepare(t);
	const second = new SteppedRecovery(host, plan, 'r2');
	await recovery.step('reserve', { limit: 1 });
	await recovery.step('reserve', { limit: 1 }, { again: true });
	await assert.rejects(second.step('reserve', { limit: 1 }), { code: 'host_busy', message: /1 of 1/ });
	await recovery.step('discard', {});
	await second.step('reserve', { limit: 1 });
});

test('a name that another recovery holds is a conflict, whatever the step', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.step('allocate', { plan });
	const other = new SteppedRecovery(host, plan);
	await assert.rejects(other.step('reserve', { limit: 8 }), { code: 'identity_conflict' });
	await assert.rejects(other.step('allocate', { plan }), { code: 'identity_conflict' });
	await assert.rejects(other.step('snapshot', {}), { code: 'recovery_unknown' });
	await other.step('discard', {}); // touches nothing but its own tombstone
	assert.equal((await recovery.view()).recoveryId, recovery.recoveryId);
});

test('files that belong to no recovery are not allocated over', async t => {
	const { host, recovery } = await prepare(t);
	await mkdir(host.directory('r1'), { recursive: true });
	await writeFile(join(host.directory('r1'), 'disk0.raw'), 'somebody’s');
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'identity_conflict' });
	assert.equal(await readFile(join(host.directory('r1'), 'disk0.raw'), 'utf8'), 'somebody’s');
});

test('an allocate that comes late, after the discard of what was never there, is refused', async t => {
	const { host, recovery } = await prepare(t);
	recovery.generation = 4;
	await recovery.step('discard', {});
	recovery.generation = 2;
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'generation_stale' });
	await assert.rejects(recovery.step('snapshot', {}), { code: 'generation_stale' });
	assert.deepEqual(await readdir(join(host.directory('r1'), '..')), []);
});

test('after a discard every step is refused but the discard, whose answer stays the same', async t => {
	const { recovery, start, inner } = await prepare(t);
	await recovery.run();
	await recovery.step('incident', { kind: 'attempt_failed', message: 'snapshot' });
	const ended = await recovery.step('discard', {});
	assert.deepEqual(
		ended.incidents.map(({ kind }) => kind),
		['attempt_failed'],
	);
	recovery.generation = 100;
	await assert.rejects(recovery.step('power-on', { on: true }), { code: 'generation_stale' });
	await inner.stop();
	await start();
	assert.deepEqual(await recovery.step('discard', {}), ended);
});

test('a lower generation is refused, also by the supervisor that comes after', async t => {
	const { recovery, inner, start } = await prepare(t);
	recovery.generation = 6;
	await recovery.step('allocate', { plan });
	recovery.generation = 3;
	await assert.rejects(recovery.step('create-machine', {}), { code: 'generation_stale' });
	await inner.stop();
	await start();
	await assert.rejects(recovery.step('create-machine', {}), { code: 'generation_stale' });
	await assert.rejects(recovery.step('discard', {}), { code: 'generation_stale' });
});

test('a step before what it stands on is refused by name', async t => {
	const { recovery } = await prepare(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(recovery.step('snapshot', {}), { code: 'phase_wrong', message: /create-machine, start-movers/ });
	await assert.rejects(recovery.step('power', { action: 'on' }), { code: 'phase_wrong' });
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'phase_wrong' });
	await assert.rejects(recovery.step('finalize', {}), { code: 'phase_wrong' });
});

test('another plan for an allocated recovery is a conflict, and an unknown field is refused', async t => {
	const { recovery } = await prepare(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(recovery.step('allocate', { plan: { ...plan, machineName: 'other' } }), {
		code: 'identity_conflict',
	});
	const strange = { ...plan, colour: 'red' } as RecoveryPlan; // as a newer client would send it
	await assert.rejects(recovery.step('allocate', { plan: strange }), { code: 'protocol' });
});

test('targets have whole sectors, and are allocated when the plan says so', async t => {
	const { recovery } = await prepare(t);
	await recovery.step('allocate', { plan: { ...plan, allocate: 'start' } });
	const { size, blocks } = await import('node:fs/promises').then(fs => fs.stat(recovery.target()));
	assert.equal(size, 100_352);
	assert.ok(blocks * 512 >= 100_352);
});

test('that power-on was scheduled is durable before the machine is started', async t => {
	const { recovery, hypervisor } = await prepare(t);
	await recovery.step('allocate', { plan });
	let scheduled: boolean | undefined;
	hypervisor.only.before = async call => {
		if (call.startsWith('powerOn')) scheduled = (await stateOf(recovery)).powerOnScheduled;
	};
	await recovery.step('create-machine', {});
	await recovery.step('start-movers', {});
	await recovery.step('snapshot', {});
	await recovery.step('power-on', { on: true });
	assert.equal(scheduled, true);
	await recovery.step('power-on', { on: true }, { again: true });
	assert.deepEqual(hypervisor.only.calls, ['create', 'snapshot', 'powerOn mover']);
});

test('a switch that comes too early is refused and nothing is sealed', async t => {
	const { recovery, movers } = await prepare(t);
	await recovery.run();
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'phase_wrong', message: /0 of 100000 bytes/ });
	assert.equal((await recovery.view()).sealed, false);
	assert.ok(movers.onlyMigration.alive);
});

test('the seal is durable before the writer is ended, and no look starts it again', async t => {
	let sealedAtKill: boolean | undefined;
	const { recovery, movers } = await prepare(t, {
		endForSeal: async mover => {
			sealedAtKill ??= (await stateOf(recoveryOf.one)).sealed;
			return mover.end();
		},
	});
	const recoveryOf = { one: recovery };
	await recovery.run();
	await restoreAll(recovery);
	await recovery.step('switch-to-target', {});
	assert.equal(sealedAtKill, true);
	await recovery.step('retry', {});
	await recovery.viewed('looked at', () => true);
	assert.deepEqual(movers.onlyMigration.calls, ['start', 'end']);
});

test('a switch that fails half-way is carried on without being asked', async t => {
	const { recovery, hypervisor } = await prepare(t);
	await recovery.run();
	await restoreAll(recovery);
	let failures = 1;
	hypervisor.only.before = call => {
		if (call === 'switchToTarget' && failures-- > 0) throw new Error('once');
	};
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'internal' });
	const view = await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
	assert.equal(view.chain, 'target');
});

test('power on in the middle of the switch carries the switch on first', async t => {
	const { recovery, hypervisor } = await prepare(t);
	await recovery.run();
	await restoreAll(recovery);
	const gate = Promise.withResolvers<void>();
	let failing = true;
	hypervisor.only.before = async call => {
		if (call === 'switchToTarget' && failing) throw new Error('not yet');
		if (call === 'switchToTarget') gate.resolve();
	};
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'internal' });
	await assert.rejects(recovery.step('power', { action: 'reset' }), { code: 'internal' });
	assert.ok(!hypervisor.only.calls.includes('reset'));
	failing = false;
	await gate.promise;
	await recovery.viewed('switched', ({ chain }) => chain === 'target');
});

test('a finished machine is known by machine.json alone, and its disks are never allocated over', async t => {
	const { host, recovery, start, inner } = await prepare(t);
	await recovery.run();
	await restoreAll(recovery);
	await recovery.step('switch-to-target', {});
	await recovery.step('finalize', {});
	await inner.stop();
	await rm(join(host.installation.home, 'host', 'tombstones'), { recursive: true });
	await start();
	assert.equal((await recovery.view()).state, 'finished');
	recovery.generation = 1000;
	await assert.rejects(recovery.step('allocate', { plan }), { code: 'identity_conflict' });
	await assert.rejects(host.client.removeMachine('r1', randomUUID()), { code: 'identity_conflict' });
	assert.equal(await host.client.machinePower('r1', 'off'), 'off');
	await host.client.removeMachine('r1', recovery.recoveryId);
	await assert.rejects(recovery.view(), { code: 'recovery_unknown' });
});

test('a recovery is not removed as a machine', async t => {
	const { host, recovery } = await prepare(t);
	await recovery.step('allocate', { plan });
	await assert.rejects(host.client.removeMachine('r1'), { code: 'phase_wrong' });
});

test('after a reboot of the host the machine stays off until it is asked for', async t => {
	const { host, recovery, hypervisor, inner, start } = await prepare(t);
	await recovery.run();
	await inner.stop();
	hypervisor.only.now = { power: 'off', alive: false, ioError: undefined };
	await start({ bootId: 'boot-2' });
	await waitFor(
		'the incident',
		async () => (await host.client.incidents('r1')).some(({ kind }) => kind === 'machine_stopped'),
		{ timeoutMs: 5_000 },
	);
	assert.equal(hypervisor.only.calls.filter(call => call.startsWith('powerOn')).length, 1);
	assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
});

test('a mover that was restarted is told again to copy, at the rate of the policy', async t => {
	const { recovery, movers } = await prepare(t);
	await recovery.run();
	const mover = movers.onlyMigration;
	mover.told = call => {
		const [order, rate] = call.split(' ');
		if (order === 'copy' || order === 'rate')
			mover.state = { ...mover.state, copying: true, maxRateBytes: Number(rate) };
	};
	await recovery.step('migrate-chunks', { maxRateBytes: 1000 });
	await recovery.step('migrate-chunks', { maxRateBytes: 2000 });
	mover.state = { ...mover.state, copying: false, maxRateBytes: 0 };
	mover.alive = false;
	await waitFor('the order', () => mover.calls.at(-1) === 'copy 2000', { timeoutMs: 5_000 });
	assert.deepEqual(mover.calls, ['start', 'copy 1000', 'rate 2000', 'start', 'copy 2000']);
});

test('a recovery of another version is left as it is, and the others go on', async t => {
	const { host, recovery, inner, start } = await prepare(t);
	const other = new SteppedRecovery(host, plan, 'r2');
	await recovery.step('allocate', { plan });
	await other.step('allocate', { plan });
	await inner.stop();
	const path = join(host.directory('r1'), 'state.json');
	await writeFile(path, JSON.stringify({ ...(await stateOf(recovery)), version: 2 }));
	await start();
	await assert.rejects(recovery.step('create-machine', {}), { code: 'format_damaged' });
	await assert.rejects(recovery.step('discard', {}), { code: 'format_damaged' });
	await other.step('create-machine', {});
	assert.equal((await stateOf(recovery)).version, 2);
});

test('a host has one id for good', async t => {
	const { host } = await prepare(t);
	const first = await host.client.host();
	assert.equal((await host.client.host()).hostId, first.hostId);
	assert.notEqual(first.hostId, (await openInstallation(host.installation.home)).id);
	assert.ok(first.freeBytes > 0);
});

test('a supervisor that is not there is supervisor_unreachable', async t => {
	const { host, inner } = await prepare(t);
	await inner.stop();
	await assert.rejects(host.client.host(), { code: 'supervisor_unreachable', message: /nobody listens/ });
});
