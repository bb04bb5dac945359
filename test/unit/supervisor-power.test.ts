/** Machines that die, and the power that somebody wished for, on a simulated host. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RouseError } from '../../model/errors.ts';
import { waitFor } from '../../system/wait.ts';
import { chunkBytes, sector, simulate } from '../equipment/simulated-recovery.ts';
import { damagePack } from '../equipment/stored-disk.ts';

test('a restart is on record before the machine starts: a supervisor that dies then carries it on', async t => {
	const simulation = await simulate(t);
	const { recovery, calls } = simulation;
	await recovery.run();
	let settled: boolean | undefined;
	calls.before = async call => {
		if (call === 'powerOn') settled ??= (await simulation.state()).power.settled;
	};
	simulation.kill();
	await simulation.incident('machine_died');
	await recovery.viewed('running', ({ power }) => power === 'on');
	assert.equal(settled, false);
});

test('a machine that dies as soon as it runs is not started all the time', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, clock } = simulation;
	await recovery.run();
	const startedAt: number[] = [];
	calls.before = call => {
		if (call === 'powerOn') startedAt.push(clock.now());
		if (call === 'observe') simulation.kill();
	};
	await waitFor('another start', () => startedAt.length === 3, { timeoutMs: 30_000 });
	const [first = 0, second = 0, third = 0] = startedAt;
	assert.ok(second - first >= 5_000, `${second - first} ms`);
	assert.ok(third - second >= 5_000, `${third - second} ms`);
});

test('on chain `mover` the base is presented before every start, and on no other', async t => {
	const simulation = await simulate(t, { fallBack: 'emulation' });
	const { recovery, calls, guest } = simulation;
	const begins = ['presentBase', 'snapshot', 'powerOn', 'fallBack'];
	await recovery.run();
	assert.deepEqual(calls.order(...begins), ['presentBase', 'snapshot', 'presentBase', 'powerOn']);
	const { boot } = guest;
	guest.crash('it gave up');
	// Each to its end: what is killed or outranked half-way is begun once more.
	await waitFor('the fall-back', () => guest.boot !== undefined && guest.boot !== boot, { timeoutMs: 30_000 });
	simulation.kill();
	const restarted = async () => calls.times('powerOn') === 2 && (await simulation.state()).power.settled;
	await waitFor('the restart', restarted, { timeoutMs: 30_000 });
	assert.deepEqual(calls.order(...begins).slice(4), ['presentBase', 'fallBack', 'presentBase', 'powerOn']);
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	await recovery.step('power', { action: 'off' });
	await recovery.step('power', { action: 'on' });
	assert.deepEqual(calls.order(...begins).slice(8), ['powerOn']);
});

test('`power on` of a guest that has powered itself off does not wait for a read that waits', async t => {
	const { recovery, calls, guest, pair } = await simulate(t);
	await recovery.run();
	const { boot } = guest;
	pair.holdReads();
	const read = guest.read(0, chunkBytes, sector);
	const waiting = () => pair.mount.ask(program => program.state().waitingReads === 1);
	await waitFor('the read to wait', waiting, { timeoutMs: 30_000 });
	calls.before = call => {
		if (call === 'powerOn') guest.powerOff();
	};
	assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
	assert.equal(await read, undefined, 'a request outlived the power of its guest');
	assert.notEqual(guest.boot, boot);
});

test('`power reset` of a guest that stood at a damaged chunk: it runs', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest } = simulation;
	await damagePack(simulation.stored, 1.5 * chunkBytes);
	await recovery.run();
	const read = guest.read(0, chunkBytes, sector);
	await recovery.viewed('blocked', ({ blocked }) => blocked?.code === 'chunk_bad');
	const { running } = simulation.simulated.partsOf(simulation.definition());
	let reset = false;
	calls.before = call => {
		// As QEMU 7.2: it waits to be let go, and still tells of the read that had failed.
		if (call === 'observe' && reset)
			running.alone((run, save) => {
				if (run) save({ ...run, guest: 'off', ioError: { disk: 'disk0', operation: 'read', noSpace: false } });
			});
		reset = call === 'reset';
	};
	assert.deepEqual(await recovery.step('power', { action: 'reset' }), { power: 'on' });
	assert.equal(await read, undefined);
});

test('`power`: an order that comes after a later one is refused, and one that was carried out is not again', async t => {
	const { recovery, guest } = await simulate(t);
	await recovery.run();
	await recovery.step('power', { action: 'reset', order: 2 });
	const { boot } = guest;
	assert.deepEqual(await recovery.step('power', { action: 'reset', order: 2 }), { power: 'on' });
	assert.equal(guest.boot, boot);
	await assert.rejects(recovery.step('power', { action: 'off', order: 1 }), { code: 'generation_stale' });
	assert.equal(guest.boot, boot);
	assert.deepEqual(await recovery.step('power', { action: 'off', order: 3 }), { power: 'off' });
});

test('`migrate-chunks` that the migration mover refuses is an error, not a silence', async t => {
	const { recovery, movers } = await simulate(t);
	const migration = movers.migration.bind(movers);
	movers.migration = of => {
		const mover = migration(of);
		const copy = () => Promise.reject(new RouseError('io_failed', 'the disk is gone'));
		return { ...mover, control: { ...mover.control, copy } };
	};
	await recovery.run();
	await assert.rejects(recovery.step('migrate-chunks', { maxRateBytes: 0 }), { code: 'io_failed' });
});

test('a write that was failed with the reads it stands on (copy-on-write) goes on once they are answered', async t => {
	const { recovery, calls, guest, pair } = await simulate(t);
	await recovery.run();
	pair.holdReads();
	const write = guest.write(0, chunkBytes, Buffer.alloc(sector, 7), { copyOnWrite: true });
	const waiting = () => pair.mount.ask(program => program.state().waitingReads === 1);
	await waitFor('the write to wait', waiting, { timeoutMs: 30_000 });
	await pair.mount.ask(program => program.failPending(1_000));
	await waitFor('the guest to be let go', () => calls.times('resume') === 1, { timeoutMs: 30_000 });
	pair.release();
	assert.equal(await write, true);
	const { power, blocked } = await recovery.viewed('going on', view => view.power === 'on');
	assert.deepEqual([power, blocked], ['on', null]);
	assert.deepEqual(await guest.read(0, chunkBytes, sector), Buffer.alloc(sector, 7));
});

test('a write whose block lies on a damaged chunk blocks with that chunk, and is done after the repair', async t => {
	const simulation = await simulate(t);
	const { recovery, guest, stored } = simulation;
	const mend = await damagePack(stored, 1.5 * chunkBytes);
	await recovery.run();
	const write = guest.write(0, chunkBytes, Buffer.alloc(sector, 7), { copyOnWrite: true });
	const { blocked } = await recovery.viewed('blocked', view => view.blocked !== null);
	assert.equal(blocked?.code, 'chunk_bad');
	assert.match(blocked.reason, /stands still at a write: chunk 1 of disk0/);
	await mend();
	await recovery.step('retry', {});
	assert.equal(await write, true);
});
