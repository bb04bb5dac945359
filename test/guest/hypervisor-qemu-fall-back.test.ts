/** A machine that this host's KVM does not carry is emulated, as long as its guest has written nothing. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { recordFallBack, records } from '../../hypervisors/qemu/record.ts';
import {
	assertionUnderKvm,
	kvmThat,
	optionOf,
	PretendedCrash,
	pretendedKvm,
	started,
} from '../equipment/pretended-kvm.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

async function bench(t: TestContext, options: QemuBenchOptions): Promise<QemuBench> {
	const made = await makeQemuBench(options);
	t.after(() => made.dispose());
	return made;
}

/** It runs, and is taken for one that KVM runs. */
async function crashingBench(t: TestContext, options: Partial<QemuBenchOptions['options']> = {}) {
	const crash = new PretendedCrash();
	const made = await bench(t, {
		options: { defaults: async () => ({}), kvm: kvmThat(true), connect: crash.connect, ...options },
		prelude: pretendedKvm,
	});
	await started(made);
	return { made, crash };
}

const observed = (made: QemuBench) => anew(made, machine => machine.observe());
const recordOf = ({ definition }: QemuBench) => records.read(definition, machinePaths(definition));

suite('a machine that KVM does not carry', { concurrency: 2 }, () => {
	test('is said to have crashed, and `fallBack` starts it emulated', async t => {
		const { made, crash } = await crashingBench(t);
		const before = await made.boot();
		await crash.begin(made, 'internal-error');
		const seen = await observed(made);
		assert.equal(seen.power, 'crashed');
		assert.deepEqual(seen.crash, {
			reason: 'QEMU cannot run what its processor was told to do (internal-error)',
			fallBack: 'emulation (TCG)',
		});
		await anew(made, machine => machine.fallBack('mover'));
		assert.notEqual(await made.boot(), before);
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		assert.match((await recordOf(made))?.acceleration?.fallenBack ?? '', /internal-error/);
		assert.equal((await observed(made)).power, 'on');
		const after = await made.boot();
		await anew(made, machine => machine.fallBack('mover'));
		assert.equal(await made.boot(), after, 'a machine that has fallen back was started anew');
	});

	test('is offered no other way once its guest has written', async t => {
		const { made, crash } = await crashingBench(t);
		const guest = new GuestModel(made);
		assert.ok(await guest.write());
		const before = await made.boot();
		await crash.begin(made, 'internal-error');
		assert.equal((await observed(made)).crash?.fallBack, undefined);
		await assert.rejects(
			anew(made, machine => machine.fallBack('mover')),
			{ code: 'phase_wrong' },
		);
		assert.equal(await made.boot(), before);
		assert.equal((await recordOf(made))?.acceleration, undefined);
	});

	test('is offered no other way where KVM is demanded, nor when its guest gave up by itself', async t => {
		let accelerator = 'auto';
		const { made, crash } = await crashingBench(t, { defaults: async () => ({ accelerator }) });
		await crash.begin(made, 'internal-error');
		assert.notEqual((await observed(made)).crash?.fallBack, undefined);
		accelerator = 'kvm';
		assert.equal((await observed(made)).crash?.fallBack, undefined);
		accelerator = 'auto';
		await crash.begin(made, 'guest-panicked');
		const { power, crash: seen } = await observed(made);
		assert.equal(power, 'crashed');
		assert.equal(seen?.fallBack, undefined);
	});

	test('is carried on to emulation when the supervisor died right after the mark', async t => {
		const { made, crash } = await crashingBench(t);
		await crash.begin(made, 'internal-error');
		await recordFallBack(made.definition, machinePaths(made.definition), 'it died');
		assert.notEqual((await observed(made)).crash?.fallBack, undefined);
		await anew(made, machine => machine.fallBack('mover'));
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		assert.equal((await observed(made)).power, 'on');
	});

	test('is not started, is offered the other way, and then takes it at every start, also after the hand-over', async t => {
		let setting: 'auto' | 'kvm' = 'auto';
		const options = { defaults: async () => ({ accelerator: setting }), kvm: kvmThat(true) };
		const made = await bench(t, { options, prelude: assertionUnderKvm });
		await assert.rejects(started(made), {
			code: 'machine_failed',
			message: /^the machine could not be started: .*KVM .*\. QEMU said: .*failed to set MSR 0x10a/s,
			details: { accelerator: 'kvm', refused: true, fallBack: 'emulation (TCG)' },
		});
		const paths = machinePaths(made.definition);
		await anew(made, machine => machine.fallBack('mover'));
		const guest = await startedGuest(made);
		assert.equal(await optionOf(made, '-accel'), 'tcg');
		assert.equal((await records.read(made.definition, paths))?.snapshotMade, true);
		await restoreTargets(made);
		await anew(made, async machine => {
			await machine.powerOff();
			await machine.switchToTarget(new SwitchRecord(made, guest));
			await machine.handOver();
			assert.match(await readFile(paths.start, 'utf8'), /-accel tcg/);
			await machine.powerOn('target');
			assert.equal(await optionOf(made, '-accel'), 'tcg');
			await machine.powerOff();
			setting = 'kvm';
			await assert.rejects(machine.powerOn('target'), { details: { accelerator: 'kvm', refused: true } });
			await machine.remove();
		});
		assert.deepEqual(await made.leftovers(), []);
	});
});
