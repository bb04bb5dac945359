/** What the supervisor does around a switch, and around one that did not go well, on a simulated host. */
import assert from 'node:assert/strict';
import { renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'node:test';
import { waitFor } from '../../system/wait.ts';
import { chunkBytes, sector, type Simulation, simulate } from '../equipment/simulated-recovery.ts';

test('`switch-to-target` that comes too early is refused and nothing is sealed', async t => {
	const { recovery, pair } = await simulate(t);
	await recovery.run();
	await assert.rejects(recovery.step('switch-to-target', {}), {
		code: 'phase_wrong',
		message: / of 195 KiB are not restored yet/,
	});
	assert.equal((await recovery.view()).sealed, false);
	assert.notEqual(pair.migration.holder, undefined);
});

test('`switch-to-target`: the seal is durable before the writer is ended, and no look starts it again', async t => {
	let sealedAtKill: boolean | undefined;
	const of: { simulation?: Simulation } = {};
	const simulation = await simulate(t, {
		parts: {
			endForSeal: async mover => {
				sealedAtKill ??= (await of.simulation?.state())?.sealed;
				return mover.end();
			},
		},
	});
	of.simulation = simulation;
	const { recovery, pair } = simulation;
	await recovery.run();
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	assert.equal(sealedAtKill, true);
	await recovery.step('retry', {});
	await simulation.looks(2);
	assert.equal(pair.migration.holder, undefined);
});

test('a switch that fails half-way is carried on without being asked', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest } = simulation;
	await recovery.run();
	await recovery.restore();
	calls.throwAt('switchToTarget', new Error('once'));
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'internal' });
	const view = await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
	assert.equal(view.chain, 'target');
	assert.deepEqual(await guest.read(0, chunkBytes, sector), simulation.backedUp(chunkBytes));
});

test('`power reset` in the middle of the switch carries the switch on first', async t => {
	const { recovery, calls, guest } = await simulate(t);
	await recovery.run();
	await recovery.restore();
	const { boot } = guest;
	calls.throwAt('switchToTarget', new Error('not yet'), { times: Number.POSITIVE_INFINITY });
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'internal' });
	await assert.rejects(recovery.step('power', { action: 'reset' }), { code: 'internal' });
	assert.equal(guest.boot, boot, 'it was reset');
	calls.mend();
	await recovery.viewed('switched', ({ chain }) => chain === 'target');
	assert.equal(guest.boot, boot);
});

test('a seal that an earlier attempt left is taken back when something is missing, and the copy goes on', async t => {
	const simulation = await simulate(t);
	const { recovery, pair } = simulation;
	await recovery.run();
	await simulation.stop();
	await pair.migration.die();
	await simulation.changeState({ sealed: true });
	await simulation.start();
	await assert.rejects(recovery.step('switch-to-target', {}), {
		code: 'phase_wrong',
		message: / of 195 KiB are not restored yet/,
	});
	await recovery.viewed('copying again', ({ sealed }) => !sealed && pair.migration.holder !== undefined);
});

test('a mark that was not known to be written is put right before the next attempt stands on it', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, statePath } = simulation;
	await recovery.run();
	await recovery.restore();
	const found: string[] = [];
	let before = '';
	calls.before = async call => {
		if (call !== 'switchToTarget') return;
		if (before !== '') {
			found.push((await simulation.state()).chain);
			return;
		}
		before = await readFile(statePath, 'utf8');
		await rm(statePath);
		await mkdir(statePath); // which no rename replaces
	};
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'io_failed' });
	// The write that failed is found to have happened all the same. In one turn, so that no look comes between.
	writeFileSync(`${statePath}-found`, JSON.stringify({ ...JSON.parse(before), chain: 'target' }));
	rmdirSync(statePath);
	renameSync(`${statePath}-found`, statePath);
	await recovery.step('switch-to-target', {}, { again: true });
	assert.equal(found[0], 'mover');
	assert.equal((await recovery.view()).chain, 'target');
});

test('a guest whose read was failed during the switch goes on before the switch is done', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest, pair } = simulation;
	await recovery.run();
	pair.holdReads();
	const read = guest.read(0, chunkBytes, sector);
	const waiting = () => pair.mount.ask(program => program.state().waitingReads === 1);
	await waitFor('the read to wait', waiting, { timeoutMs: 30_000 });
	// A mount mover that is late to see what has become local: the read still waits when the switch begins.
	await pair.mount.ask(program => {
		program.follow = async () => undefined;
	});
	await recovery.restore();
	let stage: string | undefined;
	calls.before = async call => {
		if (call === 'resume') stage ??= (await simulation.state()).switch.stage;
	};
	await recovery.step('switch-to-target', {});
	assert.equal(stage, 'begun');
	assert.deepEqual(await read, simulation.backedUp(chunkBytes));
	assert.equal((await recovery.view()).power, 'on');
});

test('a machine that died in the switch, and whose supervisor died while it started it again, runs', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest } = simulation;
	await recovery.run();
	await guest.write(0, 0, Buffer.alloc(sector, 7));
	await recovery.restore();
	let deaths = 0;
	calls.before = call => {
		if (call === 'switchToTarget' && deaths === 0) {
			deaths = 1;
			simulation.kill();
			throw new Error('the machine died');
		}
		if (call === 'powerOn' && deaths === 1) {
			deaths = 2;
			throw new Error('the supervisor died');
		}
	};
	await assert.rejects(recovery.step('switch-to-target', {}), /the machine died/);
	await waitFor('the second death', () => deaths === 2, { timeoutMs: 30_000 });
	await recovery.step('switch-to-target', {});
	assert.equal((await simulation.state()).power.desired, 'on');
	assert.equal((await recovery.view()).power, 'on');
	assert.deepEqual(await guest.read(0, 0, sector), Buffer.alloc(sector, 7));
});

test('a guest that stands at a write below a switch goes on before it is done; one that cannot is not handed over', async t => {
	const { recovery, calls, guest, pair } = await simulate(t);
	await recovery.run();
	pair.holdReads();
	const write = guest.write(0, chunkBytes, Buffer.alloc(sector, 7), { copyOnWrite: true });
	const waiting = () => pair.mount.ask(program => program.state().waitingReads === 1);
	await waitFor('the write to wait', waiting, { timeoutMs: 30_000 });
	await pair.mount.ask(program => {
		program.follow = async () => undefined;
	});
	await recovery.restore();
	calls.before = call => {
		if (call === 'resume') calls.refuseWrites('target', { noSpace: true });
	};
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'space_short', message: /a write of disk0/ });
	calls.before = () => undefined;
	calls.mend();
	await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
	assert.equal(await write, true);
	calls.refuseWrites('target', { noSpace: true });
	const another = guest.write(0, 0, Buffer.alloc(sector, 9));
	await assert.rejects(recovery.step('finalize', {}), { code: 'space_short', message: /a write of disk0/ });
	calls.mend();
	await recovery.step('finalize', {});
	assert.equal(await another, true);
});

test('a machine that dies between the switch and the finish runs when it is handed over', async t => {
	const simulation = await simulate(t);
	const { recovery, guest } = simulation;
	await recovery.run();
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	simulation.kill();
	await recovery.step('finalize', {});
	assert.equal((await recovery.view()).power, 'on');
	assert.notEqual(guest.boot, undefined);
});

test('a guest that powers itself off between the switch and the finish stays off', async t => {
	const simulation = await simulate(t);
	const { recovery, guest } = simulation;
	await recovery.run();
	await recovery.restore();
	await recovery.step('switch-to-target', {});
	guest.powerOff();
	await simulation.looks(2);
	await recovery.step('finalize', {});
	assert.equal((await recovery.view()).power, 'off');
});

test('a switch without space keeps no machine off: `power on` of one that its guest has powered off, and one that dies', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest } = simulation;
	await recovery.run();
	await guest.write(0, 0, Buffer.alloc(sector, 7));
	await recovery.restore();
	calls.refuseWrites('target', { noSpace: true });
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'space_short' });
	guest.powerOff();
	await recovery.viewed('off', ({ power }) => power === 'off');
	assert.deepEqual(await recovery.step('power', { action: 'on' }), { power: 'on' });
	const { boot } = guest;
	simulation.kill();
	await waitFor('another boot', () => guest.boot !== undefined && guest.boot !== boot, { timeoutMs: 30_000 });
	assert.equal((await simulation.state()).switch.stage, 'begun');
	calls.mend();
	await recovery.viewed('switched', ({ power, chain }) => power === 'on' && chain === 'target');
	assert.deepEqual(await guest.read(0, 0, sector), Buffer.alloc(sector, 7));
});

test('a guest that powers itself off during a switch without space stays off when its machine dies', async t => {
	const simulation = await simulate(t);
	const { recovery, calls, guest } = simulation;
	await recovery.run();
	await guest.write(0, 0, Buffer.alloc(sector, 7));
	await recovery.restore();
	calls.refuseWrites('target', { noSpace: true });
	await assert.rejects(recovery.step('switch-to-target', {}), { code: 'space_short' });
	guest.powerOff();
	const noted = async () => (await simulation.state()).power.desired === 'off';
	await waitFor('the guest to be known as off', noted, { timeoutMs: 30_000 });
	simulation.kill();
	calls.mend();
	await recovery.viewed('switched', ({ done }) => done.includes('switch-to-target'));
	assert.equal((await recovery.view()).power, 'off');
});

test('a wish for power that nobody has carried out when the switch begins is carried out by the switch', async t => {
	const of: { interrupt?: () => Promise<void> } = {};
	const simulation = await simulate(t, {
		parts: { reached: async place => (place === 'power-on-wanted' ? of.interrupt?.() : undefined) },
	});
	const { recovery, guest } = simulation;
	await recovery.run();
	await recovery.restore();
	guest.powerOff();
	await recovery.viewed('off', ({ power }) => power === 'off');
	let switched: Promise<unknown> | undefined;
	of.interrupt = async () => {
		const call = { recoveryId: recovery.recoveryId, generation: recovery.generation + 1 };
		switched = simulation.supervisor.step('r1', 'switch-to-target', call);
		await turn(); // it waits its turn by now, and comes before the next look
		throw new Error('the power-on ends here');
	};
	await assert.rejects(recovery.step('power', { action: 'on' }));
	await switched;
	await recovery.viewed('on', ({ power, chain }) => power === 'on' && chain === 'target');
});
