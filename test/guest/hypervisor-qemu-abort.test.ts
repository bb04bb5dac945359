/** A call that is aborted ends soon, and leaves what the next one carries on. */
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { anew, gateOf } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { waitFor } from '../../system/wait.ts';
import { started } from '../equipment/pretended-kvm.ts';
import { makeQemuBench, type QemuBench } from '../equipment/qemu-bench.ts';

class Aborted extends Error {}

async function bench(t: TestContext): Promise<QemuBench> {
	const made = await makeQemuBench({ disks: 1 });
	t.after(() => made.dispose());
	return made;
}

/** The call, which waits by then, must end because of the signal, long before any limit of its own. */
async function aborted(
	call: (signal: AbortSignal) => Promise<unknown>,
	waits: () => Promise<unknown> = () => delay(300),
) {
	const abort = new AbortController();
	const rejected = assert.rejects(call(abort.signal), Aborted);
	await Promise.race([waits(), rejected]);
	const told = performance.now();
	abort.abort(new Aborted());
	await rejected;
	assert.ok(performance.now() - told < 1_500, `ended ${performance.now() - told} ms later`);
}

function silentRecord(made: QemuBench): SwitchRecord {
	return new SwitchRecord(made, new GuestModel({ ...made, base: [] }));
}

suite('a machine on QEMU, aborted', { concurrency: 2 }, () => {
	test('while QEMU does not answer, goes on when it does', async t => {
		const made = await bench(t);
		await started(made);
		await restoreTargets(made);
		const record = silentRecord(made);
		const machine = made.platform.machine(made.definition, gateOf(made));
		t.after(() => machine.close());
		await machine.observe();
		await made.fate.freeze();
		for (const call of [
			(signal: AbortSignal) => machine.observe({ signal }),
			(signal: AbortSignal) => machine.powerOn('mover', { signal }),
			(signal: AbortSignal) => machine.reset({ signal }),
			(signal: AbortSignal) => machine.resume({ signal }),
			(signal: AbortSignal) => machine.switchToTarget(record, { signal }),
		])
			await aborted(call);
		await made.fate.thaw();
		assert.equal((await machine.observe()).power, 'on');
		await machine.switchToTarget(record);
		assert.equal(record.chain, 'target');
	});

	test('while QEMU waits for the mover at its start, is started by the next attempt', async t => {
		const made = await bench(t);
		await started(made);
		await anew(made, machine => machine.powerOff());
		await made.mover.stop();
		const boots = () => waitFor('QEMU to be started', () => made.boot(), { timeoutMs: 20_000 });
		await aborted(signal => anew(made, machine => machine.powerOn('mover', { signal })), boots);
		const boot = await made.boot();
		assert.notEqual(boot, undefined);
		await made.mover.start();
		await anew(made, machine => machine.powerOn('mover'));
		assert.equal(await made.boot(), boot);
		assert.equal((await anew(made, machine => machine.observe())).power, 'on');
	});

	test('while the mover is waited for, does not wait longer', async t => {
		const made = await bench(t);
		await anew(made, machine => machine.makeTargets());
		await anew(made, machine => machine.create());
		await aborted(signal => anew(made, machine => machine.presentBase({ signal })));
	});

	test('in the pause that an earlier attempt left behind, first lets the guest go on', async t => {
		const made = await bench(t);
		const guest = await startedGuest(made);
		await restoreTargets(made);
		const record = silentRecord(made);
		record.at = async place => {
			if (place === 'switch.paused') throw new Error('died');
		};
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			/died/,
		);
		assert.equal(await made.userGuest.runs(), false);
		record.at = async () => undefined;
		const reason = new Aborted();
		const abort = new AbortController();
		record.at = async place => {
			if (place === 'switch.mover-stopped') abort.abort(reason);
		};
		await anew(made, machine => machine.switchToTarget(record, { signal: abort.signal }));
		assert.ok(abort.signal.aborted);
		assert.ok(await guest.write(), 'the guest stands still');
	});
});
