import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { guestHasWritten } from '../../hypervisors/qemu/guest-written.ts';
import { MachineMonitor } from '../../hypervisors/qemu/monitor.ts';
import { MachineUsers } from '../../hypervisors/qemu/own-user.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { QmpClient } from '../../qmp/client.ts';
import { makeQemuBench, type QemuBench } from '../equipment/qemu-bench.ts';

/** A machine that was started and has not written anything. */
async function startedBench(t: TestContext): Promise<QemuBench & { written: () => Promise<boolean> }> {
	const made = await makeQemuBench();
	t.after(() => made.dispose());
	await made.mover.start();
	await anew(made, async machine => {
		await machine.makeTargets();
		await machine.create();
		await machine.snapshot();
		await machine.powerOn('mover');
	});
	const users = new MachineUsers(
		async () => 'none',
		async () => undefined,
	); // the machine has one already
	const written = async () => {
		const paths = machinePaths(made.definition);
		const monitor = new MachineMonitor(made.definition, paths, QmpClient.connect.bind(QmpClient));
		try {
			return await guestHasWritten(made.definition, paths, { imageTool: 'qemu-img', users }, monitor);
		} finally {
			monitor.close();
		}
	};
	return { ...made, written };
}

const off = (made: QemuBench) => anew(made, machine => machine.powerOff());
const on = (made: QemuBench) => anew(made, machine => machine.powerOn('mover'));

suite('`guestHasWritten`', { concurrency: 2 }, () => {
	test('is false of a guest that has only read, running or off, with the mount mover away', async t => {
		const made = await startedBench(t);
		await made.userGuest.io(0, 'read 0 64k');
		assert.equal(await made.written(), false);
		await off(made);
		await made.mover.stop();
		assert.equal(await made.written(), false);
	});

	for (const [what, disk, command] of [
		['a write', 0, 'write -P 1 1M 4k'],
		['a write to the second disk', 1, 'write -P 1 1M 512'],
		['a write of zeroes', 0, 'write -z 1M 4k'],
		['a discard of what was backed up', 0, 'write -z -u 1M 128k'],
	] as const)
		test(`is true after ${what}, off and started anew`, async t => {
			const made = await startedBench(t);
			await made.userGuest.io(disk, command);
			await made.userGuest.io(disk, 'flush', /^/);
			await off(made);
			assert.equal(await made.written(), true);
			// Of this QEMU nothing was asked yet: only the overlay tells.
			await on(made);
			assert.equal(await made.written(), true);
		});

	test('is true of a write that QEMU has not flushed, which no file tells of', async t => {
		const made = await startedBench(t);
		await made.userGuest.io(0, 'aio_write -P 1 1M 4k', /wrote/);
		assert.equal(await made.written(), true);
	});

	test('is true of a machine on its own disk: nothing there tells it from what was backed up', async t => {
		const made = await startedBench(t);
		await off(made);
		await restoreTargets(made);
		const record = new SwitchRecord(made, new GuestModel(made));
		await anew(made, machine => machine.switchToTarget(record));
		assert.equal(await made.written(), true);
	});
});
