/** Calls that hang on a read which the mount mover does not answer, and their way past it. */
import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gateOf } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import type { Machine, MoverGate } from '../../hypervisors/contract.ts';
import { waitFor } from '../../system/wait.ts';
import { started } from '../equipment/pretended-kvm.ts';
import { makeQemuBench, type QemuBench } from '../equipment/qemu-bench.ts';
import { refusingMover } from '../equipment/refusing-mover.ts';

async function bench(t: TestContext): Promise<QemuBench> {
	const made = await makeQemuBench({ disks: 1 });
	t.after(() => made.dispose());
	return made;
}

function machineOf(t: TestContext, made: QemuBench, gate: Partial<MoverGate>): Machine {
	const machine = made.platform.machine(made.definition, { ...gateOf(made), ...gate });
	t.after(() => machine.close());
	return machine;
}

suite('a machine on QEMU passes the mover gate', { concurrency: 2 }, () => {
	test('with all that waits for reads, each with its own patience', async t => {
		const made = await bench(t);
		await started(made);
		const passed: object[] = [];
		const machine = machineOf(t, made, {
			pass: (work, { first, patienceMs }) => {
				passed.push({ ...(first ? { first } : {}), ...(patienceMs ? { patienceMs } : {}) });
				return work();
			},
			clear: async ({ patienceMs }) => void passed.push({ clear: patienceMs }),
		});
		const during = async (call: () => Promise<unknown>) => {
			passed.length = 0;
			await call();
			return [...passed];
		};
		assert.deepEqual(await during(() => machine.shutdown()), [{ first: true, patienceMs: 1_000 }]);
		assert.deepEqual(await during(() => machine.reset()), [{ first: true, patienceMs: 1_000 }, { patienceMs: 2_000 }]);
		assert.deepEqual(await during(() => machine.resume()), [{ patienceMs: 2_000 }]);
		assert.deepEqual(await during(() => machine.powerOn('mover')), [{ patienceMs: 2_000 }]);
		assert.deepEqual(await during(() => machine.powerOff()), []);
		// Of a machine that is off: there is nobody who could be asked.
		for (const ask of [() => machine.shutdown(), () => machine.reset(), () => machine.resume()])
			assert.deepEqual(await during(ask), []);
		assert.deepEqual(await during(() => machine.presentBase()), [{}]);
		assert.deepEqual(await during(() => machine.snapshot()), [{}]);
		assert.deepEqual(await during(() => machine.powerOn('mover')), [{ patienceMs: 30_000 }]);
		await restoreTargets(made);
		const record = new SwitchRecord(made, new GuestModel({ ...made, base: [] }));
		const switching = await during(() => machine.switchToTarget(record));
		assert.deepEqual(switching, [{ patienceMs: 5_000 }, { clear: 2_000 }]);
	});

	test('a guest whose reads were failed for its reset runs afterwards', async t => {
		const made = await bench(t);
		const trouble = join(made.directory, 'trouble');
		const mover = await refusingMover(made.definition.nbdSocket, join(made.directory, 'base0.raw'), trouble);
		t.after(() => mover.kill('SIGKILL'));
		// At a read that failed after the reset, or reset while it stood at one that failed before.
		const standsStill = async () => (await machine.observe()).power !== 'on';
		const machine = machineOf(t, made, {
			pass: async (work, { first = false }) => {
				if (first) await writeFile(trouble, '');
				const result = await work();
				if (first) await waitFor('the guest to stand still', standsStill, { timeoutMs: 15_000 });
				await rm(trouble, { force: true });
				return result;
			},
		});
		for (const step of [() => machine.makeTargets(), () => machine.create(), () => machine.snapshot()]) await step();
		await machine.powerOn('mover');
		// A reset during the first instructions leaves the CPU of QEMU 7.2 at address 0 under TCG, and nothing is ever read.
		await made.userGuest.hasReadFromDisk();
		await machine.reset();
		assert.equal((await machine.observe()).power, 'on');
	});

	test('`presentBase` waits for a mover that is started again meanwhile', async t => {
		const made = await bench(t);
		let mover: Promise<void> | undefined;
		const machine = machineOf(t, made, {
			pass: work => {
				mover = delay(300).then(() => made.mover.start());
				return work();
			},
		});
		await machine.presentBase();
		await mover;
	});

	test('`observe` of one that is silent looks again once its reads were failed, and is stuck when none waited', async t => {
		const made = await bench(t);
		await started(made);
		let waits = true;
		const machine = machineOf(t, made, {
			free: async work => {
				if (!waits) return false;
				await made.fate.thaw();
				await work();
				return true;
			},
		});
		await made.fate.freeze();
		assert.equal((await machine.observe()).power, 'on');
		await made.fate.freeze();
		waits = false;
		await assert.rejects(machine.observe(), { code: 'hypervisor_stuck' });
	});
});
