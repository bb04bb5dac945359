import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { rememberedSwitch } from '../equipment/remembered-switch.ts';
import { startedSimulation } from '../equipment/started-simulation.ts';

const sector = 512;

suite('a read that the mount mover holds', () => {
	test('holds up `reset` of a machine like a process, until the gate has it failed', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		bench.mover.hold();
		const boot = bench.simulatedGuest.boot;
		const read = bench.simulatedGuest.read(0, 4096, sector);
		await turn();
		assert.equal(bench.mover.waiting, 1);
		await machine.reset();
		assert.deepEqual(gate.calls, ['pass first after 1000']);
		assert.equal(await read, undefined, 'a request outlived the reset of its guest');
		assert.notEqual(bench.simulatedGuest.boot, boot);
		assert.equal((await machine.observe()).power, 'on');
	});

	test('holds up `resume` of a guest that another failed read has stopped', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		bench.mover.hold();
		const reads = [bench.simulatedGuest.read(0, 4096, sector)];
		await turn();
		bench.mover.failPending();
		reads.push(bench.simulatedGuest.read(1, 8192, sector)); // on its way when the guest was stopped
		await turn();
		assert.equal(bench.mover.waiting, 1);
		await machine.resume();
		assert.deepEqual(gate.calls, ['pass after 2000']);
		bench.mover.serve();
		assert.deepEqual(await Promise.all(reads), [
			bench.base[0]?.subarray(4096, 4096 + sector),
			bench.base[1]?.subarray(8192, 8192 + sector),
		]);
	});

	test('silences a machine that another failed read has stopped: `observe` frees it by the gate', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		bench.mover.hold();
		void bench.simulatedGuest.read(0, 4096, sector);
		await turn();
		bench.mover.failPending();
		void bench.simulatedGuest.read(1, 8192, sector);
		await turn();
		const seen = await machine.observe();
		assert.deepEqual(gate.calls, ['free']);
		assert.equal(seen.power, 'paused');
		assert.equal(seen.ioError?.operation, 'read');
		assert.equal(bench.mover.waiting, 0);
	});

	test('silences a machine whose guest resets itself, which then stands at the failed read', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		bench.mover.hold();
		const read = bench.simulatedGuest.read(0, 4096, sector);
		await turn();
		const reset = bench.simulatedGuest.reset();
		await turn();
		assert.equal(await bench.simulatedGuest.write(0, 0, Buffer.alloc(sector)), false, 'a guest writes while it resets');
		assert.equal((await machine.observe()).power, 'paused');
		assert.deepEqual(gate.calls, ['free']);
		assert.equal(await reset, true);
		assert.equal(await read, undefined);
		await machine.resume();
		assert.equal((await machine.observe()).power, 'on');
	});

	test('holds up the start of a machine like a process, which then starts without it', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		await machine.powerOff();
		bench.mover.hold();
		await machine.powerOn('mover');
		assert.deepEqual(gate.calls, ['pass after 30000']);
		assert.equal((await machine.observe()).power, 'on');
	});

	for (const like of ['process', 'service'] as const)
		test(`is cleared away before the switch of a machine like a ${like}`, async t => {
			const { bench, machine, gate } = await startedSimulation(t, { like });
			bench.mover.hold();
			const read = bench.simulatedGuest.read(0, 4096, sector);
			await turn();
			await machine.switchToTarget(rememberedSwitch());
			assert.deepEqual(gate.calls.slice(0, 2), ['clear after 2000', 'pass after 5000']);
			// The failed read stopped the guest before the switch could: it stays there, and goes on afterwards.
			await machine.resume();
			assert.deepEqual(await read, Buffer.alloc(sector), 'the read was not answered by the target');
		});

	test('is lost with the power of its machine', async t => {
		const { bench, machine, gate } = await startedSimulation(t);
		bench.mover.hold();
		const read = bench.simulatedGuest.read(0, 4096, sector);
		await turn();
		await machine.powerOff();
		assert.equal(await read, undefined);
		assert.deepEqual(gate.calls, [], 'to take the power away asked for something');
		assert.equal(bench.mover.waiting, 0);
	});

	test('does not hold up the calls of a machine like a service', async t => {
		const { bench, machine, gate } = await startedSimulation(t, { like: 'service' });
		bench.mover.hold();
		void bench.simulatedGuest.read(0, 4096, sector);
		await turn();
		await machine.reset();
		assert.equal((await machine.observe()).power, 'on');
		assert.deepEqual(gate.calls, []);
	});
});

test('a machine that is never answered is given up as stuck, and not ended', async t => {
	const { bench } = await startedSimulation(t, { stuckMs: 20 });
	bench.mover.hold();
	void bench.simulatedGuest.read(0, 4096, sector);
	await turn();
	const patient = {
		clear: async () => undefined,
		pass: <T>(work: () => Promise<T>) => work(),
		free: async () => false,
		reopen: async () => undefined,
	};
	const machine = bench.platform.machine(bench.definition, patient);
	await assert.rejects(machine.reset(), { code: 'hypervisor_stuck' });
	assert.notEqual(bench.simulatedGuest.boot, undefined);
	bench.mover.serve();
});

test('a read of a mover that is dead is asked again of the next one', async t => {
	const { bench } = await startedSimulation(t);
	await bench.mover.stop();
	const read = bench.simulatedGuest.read(0, 4096, sector);
	await turn();
	await bench.mover.start();
	assert.deepEqual(await read, bench.base[0]?.subarray(4096, 4096 + sector));
});
