import assert from 'node:assert/strict';
import { appendFile, rm, stat, truncate } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { gateOf } from '../../hypervisors/conformance/bench.ts';
import { start } from '../../hypervisors/conformance/started-guest.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { kill, reboot } from '../../hypervisors/simulated/fate.ts';
import { SimulatedHost } from '../../hypervisors/simulated/host.ts';
import { RouseError } from '../../model/errors.ts';
import { rememberedSwitch } from '../equipment/remembered-switch.ts';
import { startedSimulation } from '../equipment/started-simulation.ts';

const sector = 512;
const bytes = (value: number) => Buffer.alloc(sector, value);

const fullAt = {
	process: ['switch.mover-stopped', 'switch.ready', 'switch.paused', 'switch.pending'],
	service: ['switch.saved', 'switch.reparented-one'],
} as const;

for (const like of ['process', 'service'] as const)
	suite(`a simulated machine like a ${like}`, () => {
		test('loses exactly what was not flushed when its power goes', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const { simulatedGuest: guest, host, definition } = bench;
			await guest.write(0, 0, bytes(1));
			await guest.write(0, 0, bytes(2), { flush: false });
			await guest.write(0, 4096, bytes(3), { flush: false });
			assert.deepEqual(await guest.read(0, 0, sector), bytes(2), 'a guest does not read what it wrote');
			kill(host, definition);
			await start(machine, 'mover');
			assert.deepEqual(await guest.read(0, 0, sector), bytes(1));
			assert.deepEqual(await guest.read(0, 4096, sector), bench.base[0]?.subarray(4096, 4096 + sector));
		});

		test('keeps all that was flushed, in the order in which it was written', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const { simulatedGuest: guest, host, definition } = bench;
			await guest.write(0, 0, bytes(1), { flush: false });
			await guest.write(0, 0, bytes(2), { flush: false });
			await guest.flush(0);
			await guest.write(0, 4096, bytes(3), { flush: false });
			await guest.write(0, 4096, bytes(4)); // flushes what came before it
			assert.deepEqual(await guest.read(0, 4096, sector), bytes(4));
			kill(host, definition);
			await start(machine, 'mover');
			assert.deepEqual(await guest.read(0, 0, sector), bytes(2));
			assert.deepEqual(await guest.read(0, 4096, sector), bytes(4));
		});

		test('keeps through the switch what was not flushed, and loses it with its power afterwards', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const { simulatedGuest: guest, host, definition } = bench;
			await restoreTargets(bench);
			await guest.write(0, 0, bytes(1));
			await guest.write(1, 0, bytes(2), { flush: false });
			await machine.switchToTarget(rememberedSwitch());
			assert.deepEqual(
				await guest.read(1, 0, sector),
				bytes(2),
				'the switch lost a write that nobody took the power from',
			);
			await guest.write(0, 0, bytes(3), { flush: false });
			kill(host, definition);
			await machine.powerOn('target');
			assert.deepEqual(await guest.read(0, 0, sector), bytes(1));
		});

		test('is found as it is by another host over the same files', async t => {
			const { bench } = await startedSimulation(t, { like });
			const { settings } = bench.host;
			await bench.simulatedGuest.write(0, 0, bytes(1));
			await bench.simulatedGuest.write(1, 0, bytes(2), { flush: false });
			const next = new SimulatedHost({ like, directory: settings.directory, readBase: settings.readBase });
			const machine = next.platform.machine(bench.definition, gateOf(bench));
			assert.equal((await machine.observe()).power, 'on');
			const guest = next.guest(bench.definition);
			assert.equal(guest.boot, bench.simulatedGuest.boot);
			assert.deepEqual(await guest.read(0, 0, sector), bytes(1));
			assert.deepEqual(await guest.read(1, 0, sector), bytes(2));
			await guest.write(0, 0, bytes(5));
			assert.deepEqual(await bench.simulatedGuest.read(0, 0, sector), bytes(5));
			await machine.powerOff();
			assert.equal(bench.simulatedGuest.boot, undefined);
		});

		test('stands still at a write that finds no space, and goes on with it after `resume`', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const { simulatedGuest: guest, host, definition } = bench;
			host.settings.faults.refuseWrites('overlay', { noSpace: true, recoveryId: definition.recoveryId });
			const write = guest.write(1, 0, bytes(7));
			const { power, ioError } = await machine.observe();
			assert.equal(power, 'paused');
			assert.deepEqual(ioError, { disk: 'disk1', operation: 'write', noSpace: true });
			assert.equal(await guest.write(0, 0, bytes(1)), false, 'a guest that stands still has written');
			await start(machine, 'mover');
			assert.equal((await machine.observe()).power, 'paused', '`powerOn` is not for that');
			host.settings.faults.mend();
			await machine.resume();
			assert.equal(await write, true);
			assert.deepEqual(await guest.read(1, 0, sector), bytes(7));
		});

		for (const place of fullAt[like])
			test(`goes on as it was when the switch finds no space at ${place}, and is switched once there is`, async t => {
				const { bench, machine } = await startedSimulation(t, { like });
				const { simulatedGuest: guest, host } = bench;
				const { faults } = host.settings;
				let left = 1;
				const calls = rememberedSwitch(async reached => {
					if (reached !== place || left-- <= 0) return;
					faults.refuseWrites(like === 'process' ? 'target' : 'overlay', { noSpace: true });
				});
				await restoreTargets(bench);
				await guest.write(0, 0, bytes(1));
				await assert.rejects(machine.switchToTarget(calls), { code: 'space_short' });
				assert.equal((await machine.observe()).power, 'on');
				assert.notEqual(calls.chain, 'target');
				faults.mend();
				await machine.reset();
				assert.equal(await guest.write(1, 0, bytes(2)), true);
				await machine.switchToTarget(calls);
				await machine.powerOff();
				await machine.powerOn('target');
				assert.deepEqual(await guest.read(0, 0, sector), bytes(1));
				assert.deepEqual(await guest.read(1, 0, sector), bytes(2));
			});

		test('gets the rest of a target that was made too small, and keeps what is in it', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const path = bench.host.partsOf(bench.definition).stacks[0]?.targetPath ?? '';
			const { size } = await stat(path);
			await restoreTargets(bench);
			await truncate(path, size - 4096);
			await machine.makeTargets();
			assert.equal((await stat(path)).size, size);
			await truncate(path, size + 4096);
			await assert.rejects(machine.makeTargets(), { code: 'identity_conflict' });
		});

		test('goes on when the mount mover cannot be stopped', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			await restoreTargets(bench);
			const calls = rememberedSwitch();
			calls.stopMountMover = async () => {
				throw new RouseError('hypervisor_stuck', 'the mount mover cannot be killed');
			};
			await assert.rejects(machine.switchToTarget(calls), { code: 'hypervisor_stuck' });
			assert.equal((await machine.observe()).power, 'on');
			assert.equal(calls.chain, 'local');
		});

		test('that ended in its switch, and was started by somebody, is not taken for the one that was switched', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			await restoreTargets(bench);
			const somebody = bench.platform.machine(bench.definition, gateOf(bench));
			const calls = rememberedSwitch(async reached => {
				if (reached !== 'switch.mover-stopped') return;
				kill(bench.host, bench.definition);
				await somebody.powerOn(calls.chain);
			});
			await assert.rejects(machine.switchToTarget(calls), { code: 'hypervisor_failed' });
			assert.equal((await machine.observe()).power, 'on');
		});

		test('offers its other way to run once, while the guest has written nothing', async t => {
			const { bench, machine } = await startedSimulation(t, { like, fallBack: 'plainly' });
			const { simulatedGuest: guest } = bench;
			guest.crash('invalid opcode');
			assert.deepEqual((await machine.observe()).crash, { reason: 'invalid opcode', fallBack: 'plainly' });
			await machine.fallBack('mover');
			assert.equal((await machine.observe()).power, 'on');
			guest.crash('again');
			assert.deepEqual((await machine.observe()).crash, { reason: 'again', fallBack: undefined });
		});

		test('offers no other way to run once the guest has written, flushed or not', async t => {
			const { bench, machine } = await startedSimulation(t, { like, fallBack: 'plainly' });
			await bench.simulatedGuest.write(0, 0, bytes(1), { flush: false });
			bench.simulatedGuest.crash('late');
			assert.equal((await machine.observe()).crash?.fallBack, undefined);
			await start(machine, 'mover');
			assert.equal((await machine.observe()).power, 'on', 'a guest that has crashed does not start anew');
		});

		test('whose snapshot is gone is never given another one', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			const { paths } = bench.host.partsOf(bench.definition);
			await machine.powerOff();
			for (const disk of bench.definition.disks) await rm(paths.overlay(disk));
			await assert.rejects(machine.snapshot(), { code: 'machine_failed' });
			await assert.rejects(machine.powerOn('mover'), { code: 'machine_failed' });
		});

		test('is not let go on by anybody but the switch in its pause', async t => {
			const { bench, machine } = await startedSimulation(t, { like });
			await restoreTargets(bench);
			const calls = rememberedSwitch();
			const place = like === 'process' ? 'switch.pending' : 'switch.reparented';
			bench.host.settings.faults.throwAt(place, new Error('the supervisor died'));
			await assert.rejects(machine.switchToTarget(calls), /the supervisor died/);
			for (const call of [() => machine.powerOn('local'), () => machine.reset()])
				await assert.rejects(call(), { code: 'phase_wrong' });
			await machine.resume();
			assert.equal(await bench.simulatedGuest.write(0, 0, bytes(1)), false);
			await machine.switchToTarget(calls);
			assert.equal(await bench.simulatedGuest.write(0, 0, bytes(1)), true);
		});

		test('whose target store is full gets no targets, and leaves nothing', async t => {
			const { bench, machine } = await startedSimulation(t, { like, definition: { allocate: 'start' } });
			await machine.remove();
			await machine.removeTargets();
			const full = new SimulatedHost({ ...bench.host.settings, like, freeBytes: async () => 4096 });
			const next = full.platform.machine(bench.definition, gateOf(bench));
			await assert.rejects(next.makeTargets(), { code: 'space_short' });
			assert.deepEqual(await bench.leftovers(), []);
		});
	});

test('a torn tail of an overlay is cut off, and what came before it is kept', async t => {
	const { bench, machine } = await startedSimulation(t);
	const { host, definition, simulatedGuest } = bench;
	const { directory, readBase } = host.settings;
	/** As the next process sees the files. */
	const nextGuest = () => new SimulatedHost({ like: 'process', directory, readBase }).guest(definition);
	const overlay = host.partsOf(definition).stacks[0]?.overlay.path ?? '';
	await simulatedGuest.write(0, 0, bytes(1));
	await simulatedGuest.write(0, 4096, bytes(2));
	await truncate(overlay, (await stat(overlay)).size - 100);
	const second = nextGuest();
	assert.deepEqual(await second.read(0, 0, sector), bytes(1));
	assert.deepEqual(await second.read(0, 4096, sector), bench.base[0]?.subarray(4096, 4096 + sector));
	await appendFile(overlay, Buffer.alloc(17, 0xff));
	await second.write(0, 8192, bytes(3));
	const third = nextGuest();
	assert.deepEqual(await third.read(0, 0, sector), bytes(1));
	assert.deepEqual(await third.read(0, 8192, sector), bytes(3));
	await machine.powerOff();
});

test('a machine like a service starts from the mover only where its base was presented since the host was started', async t => {
	const { bench, machine } = await startedSimulation(t, { like: 'service' });
	await reboot(bench.host, [bench.definition]);
	await assert.rejects(machine.powerOn('mover'), { code: 'phase_wrong' });
	await start(machine, 'mover');
	assert.equal((await machine.observe()).power, 'on');
});

test('a target like a device has another path after a boot of the host, and none while a machine stands on it', async t => {
	const { bench, machine } = await startedSimulation(t, { like: 'service' });
	const [first] = await machine.openTargets();
	assert.ok(first && first.offsetBytes > 0);
	assert.equal((await stat(first.path)).isFile(), true);
	await restoreTargets(bench);
	await reboot(bench.host, [bench.definition]);
	const [second] = await machine.openTargets();
	assert.notEqual(second?.path, first.path);
	await machine.switchToTarget(rememberedSwitch());
	await assert.rejects(stat(second?.path ?? ''), { code: 'ENOENT' });
	const [third] = await machine.openTargets();
	assert.equal(third?.identity, first.identity);
	await assert.rejects(stat(second?.path ?? ''), { code: 'ENOENT' });
});

test('`SimulatedFaults` throws at a call of one machine, and a call that hangs is given up as stuck', async t => {
	const { bench, machine } = await startedSimulation(t, { stuckMs: 20 });
	const { faults } = bench.host.settings;
	faults.throwAt('observe', new RouseError('hypervisor_failed', 'broken'), { recoveryId: 'another' });
	assert.equal((await machine.observe()).power, 'on');
	faults.throwAt('observe', new RouseError('hypervisor_failed', 'broken'));
	await assert.rejects(machine.observe(), { code: 'hypervisor_failed' });
	assert.equal((await machine.observe()).power, 'on');
	faults.hangAt('reset');
	await assert.rejects(machine.reset(), { code: 'hypervisor_stuck' });
	const release = faults.hangAt('observe');
	const observed = machine.observe();
	await turn();
	release();
	assert.equal((await observed).power, 'on');
});
