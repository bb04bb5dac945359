/** Machines that die, and the power that somebody wished for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { prepare, stateOf } from '../equipment/pretended-recovery.ts';

const dead = { power: 'off', alive: false, ioError: undefined } as const;

test('that a machine is started again is on record before it is: a supervisor that dies then carries it on', async t => {
	const { recovery, hypervisor } = await prepare(t);
	await recovery.run();
	const machine = hypervisor.only;
	let settled: boolean | undefined;
	machine.before = async call => {
		if (call.startsWith('powerOn')) settled ??= (await stateOf(recovery)).power.settled;
	};
	machine.now = dead;
	await waitFor('the restart', () => settled !== undefined, { timeoutMs: 5_000 });
	assert.equal(settled, false);
});

test('a machine that dies as soon as it runs is not started all the time', async t => {
	let now = 0;
	const { recovery, hypervisor } = await prepare(t, { clock: () => now });
	await recovery.run();
	const machine = hypervisor.only;
	let looks = 0;
	machine.observe = async () => {
		looks += 1;
		return dead;
	};
	const starts = () => machine.calls.filter(call => call.startsWith('powerOn')).length - 1;
	await waitFor('some looks', () => looks > 6, { timeoutMs: 10_000 });
	assert.equal(starts(), 1);
	now += 6_000;
	await waitFor('another start', () => starts() === 2, { timeoutMs: 5_000 });
});

test('power on of a guest that has powered itself off does not wait for a read that waits', async t => {
	const { recovery, hypervisor, movers } = await prepare(t);
	await recovery.run();
	const machine = hypervisor.only;
	const mount = movers.onlyMount;
	mount.state = { ...mount.state, waitingReads: 1 };
	mount.told = order => {
		if (order.startsWith('failPending')) mount.state = { ...mount.state, waitingReads: 0 };
	};
	machine.now = { power: 'off', alive: true, ioError: undefined };
	machine.before = async call => {
		// As QEMU resets a machine.
		if (call.startsWith('powerOn'))
			await waitFor('no read to wait', () => mount.state.waitingReads === 0, { timeoutMs: 10_000 });
	};
	assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
});

test('a guest that stood at a damaged chunk runs after its reset', async t => {
	const { recovery, hypervisor, movers } = await prepare(t);
	await recovery.run();
	const machine = hypervisor.only;
	const mount = movers.onlyMount;
	mount.state = {
		...mount.state,
		badChunks: [{ disk: 'disk0', index: 0, digest: 'd'.repeat(64), packId: 'e'.repeat(32) }],
	};
	const ioError = { disk: 'disk0', operation: 'read', noSpace: false } as const;
	machine.now = { power: 'paused', alive: true, ioError };
	machine.reset = async () => {
		// As QEMU 7.2: it waits to be let go, and still tells of the read that had failed.
		machine.now = { power: 'off', alive: true, ioError };
	};
	assert.deepEqual(await recovery.step('power', { action: 'reset' }), { power: 'on' });
});

test('an order that the migration mover refuses is an error, not a silence', async t => {
	const { recovery, movers } = await prepare(t);
	await recovery.run();
	movers.onlyMigration.told = () => {
		throw new RouseError('io_failed', 'the disk is gone');
	};
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'io_failed' });
});
