/** A machine on a simulated Hyper-V host, when something of the host fails outside of the switch. */
import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { handedOver } from '../../hypervisors/conformance/handed-over.ts';
import { start, startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { targetPaths } from '../../hypervisors/hyperv/iscsi/definition.ts';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { records } from '../../hypervisors/hyperv/record.ts';
import { lockHolder, signalHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { type HypervBench, makeHypervBench } from '../equipment/hyperv-bench.ts';

async function made(t: TestContext, options: Parameters<typeof makeHypervBench>[0] = {}): Promise<HypervBench> {
	const bench = await makeHypervBench(options);
	t.after(() => bench.dispose());
	return bench;
}

/** Switched while it ran, with writes before and after. */
async function switchedGuest(bench: HypervBench): ReturnType<typeof startedGuest> {
	const guest = await startedGuest(bench);
	await restoreTargets(bench);
	await anew(bench, machine => machine.switchToTarget(new SwitchRecord(bench, guest)));
	await guest.write();
	return guest;
}

const observed = (bench: HypervBench) => anew(bench, machine => machine.observe());
const recorded = (bench: HypervBench) => records.of(bench.definition, bench.paths);

suite('a machine on Hyper-V', { concurrency: 2 }, () => {
	test('stands still with an error when its volume is away too long, and `resume` lets it go on', async t => {
		const bench = await made(t, { patienceMs: 500 });
		bench.windows.faults.conditions.resumesByItself = false;
		const guest = await startedGuest(bench);
		await guest.write();
		await bench.mover.stop();
		const at = 2 ** 20;
		const read = bench.windows.guest(bench.definition.recoveryId).read(0, at, 512);
		await waitFor('the guest to stand still', async () => (await observed(bench)).ioError, { timeoutMs: 30_000 });
		const { ioError, power } = await observed(bench);
		assert.equal(power, 'paused');
		assert.deepEqual(ioError, { disk: 'disk0', operation: 'read', noSpace: false });
		bench.windows.faults.conditions.freeBytes = 2 ** 20;
		assert.equal((await observed(bench)).ioError?.noSpace, true);
		bench.windows.faults.conditions.freeBytes = 2 ** 40;
		await bench.mover.start();
		await anew(bench, machine => machine.powerOn('mover'));
		assert.equal((await observed(bench)).power, 'paused', 'one that stands at an error is left to `resume`');
		const goesOn = async () => {
			await anew(bench, machine => machine.resume());
			return (await observed(bench)).power === 'on';
		};
		await waitFor('the guest to go on', goesOn, { timeoutMs: 30_000, everyMs: 500 });
		assert.deepEqual(await read, bench.base[0]?.subarray(at, at + 512));
		await guest.checkInGuest();
	});

	test('that Windows has saved when it was shut down is off until it is powered on, and goes on where it was', async t => {
		const bench = await made(t);
		const guest = await startedGuest(bench);
		await guest.write();
		const boot = await bench.boot();
		await bench.restartWindows();
		assert.deepEqual(await observed(bench), { power: 'off', byGuest: false, ioError: undefined, crash: undefined });
		await bench.mover.start();
		await anew(bench, machine => start(machine, 'mover'));
		assert.equal(await bench.boot(), boot);
		await guest.checkInGuest();
	});

	test('whose overlays are gone is not started, and gets no others', async t => {
		const bench = await made(t);
		await startedGuest(bench);
		await anew(bench, machine => machine.powerOff());
		const [disk] = bench.definition.disks;
		assert.ok(disk);
		await rm(bench.hyperv.place(bench.paths.windows.overlay(disk)));
		await assert.rejects(
			anew(bench, machine => machine.snapshot()),
			{ code: 'machine_failed' },
		);
		await assert.rejects(anew(bench, machine => start(machine, 'mover')));
		assert.equal((await observed(bench)).power, 'off');
		assert.ok(!(await bench.leftovers()).includes('overlay0.vhdx'));
	});

	for (const point of ['Merge-VHD', 'Merge-VHD piece'] as const)
		test(`whose overlays cannot be merged is started on two files each, and says so: at ${point}`, async t => {
			const bench = await made(t);
			const guest = await switchedGuest(bench);
			await anew(bench, async machine => {
				await machine.powerOff();
				bench.windows.faults.change({ mergeChangesIdFirst: true, brokenLinksAreUntold: true });
				bench.windows.faults.at(point, { kind: 'fail', rule: 'diskFull' });
				await machine.powerOn('target');
				assert.match(machine.debug['notMerged'] ?? '', /not enough space/);
				await guest.checkInGuest();
				await machine.powerOff();
				await machine.powerOn('target');
				assert.equal(machine.debug['notMerged'], undefined);
			});
			assert.ok((await recorded(bench)).merged);
			await guest.checkInGuest();
			await anew(bench, machine => machine.powerOff());
			await guest.checkContent();
		});

	for (const point of ['Merge-VHD piece', 'Merge-VHD done', 'Set-VMHardDiskDrive done'])
		test(`is merged by the next \`powerOn\` when its host lost its power at ${point}`, async t => {
			const bench = await made(t);
			const guest = await switchedGuest(bench);
			await anew(bench, machine => machine.powerOff());
			bench.windows.faults.change({ mergeChangesIdFirst: true });
			bench.windows.faults.at(point, { kind: 'power-loss' });
			await anew(bench, machine => machine.powerOn('target')).catch(() => undefined);
			await bench.fate.reboot();
			bench.windows.faults.change({ brokenLinksAreUntold: true });
			await anew(bench, machine => machine.powerOn('target'));
			assert.ok((await recorded(bench)).merged);
			await guest.checkInGuest();
		});

	test('has its volume again within a step that waits for the host, when what serves it dies, and not once that is taken away', async t => {
		const bench = await made(t);
		const guest = await startedGuest(bench);
		await guest.write();
		const { faults } = bench.windows;
		const { daemonLock } = targetPaths({ directory: bench.paths.iscsi });
		const diesAt = async (point: string, step: Promise<unknown>) => {
			await waitFor(`the host to be at ${point}`, async () => faults.heldAt(point) === 1, { timeoutMs: 30_000 });
			await signalHolder(daemonLock, 'SIGKILL');
			const served = async () => (await lockHolder(daemonLock)) !== undefined;
			await waitFor('it to be served again', served, { timeoutMs: 30_000 });
			faults.release(point);
			await step;
		};
		await anew(bench, async machine => {
			await machine.powerOff();
			await machine.presentBase();
			faults.at('Start-VM', { kind: 'hold' });
			await diesAt('Start-VM', machine.powerOn('mover'));
			assert.equal(await machine.keepBase?.(), true, 'whoever looks next is not told');
			assert.equal(await machine.keepBase?.(), false);
			await guest.checkInGuest();
			await restoreTargets(bench);
			faults.at('Save-VM', { kind: 'hold' });
			await diesAt('Save-VM', machine.switchToTarget(new SwitchRecord(bench, guest)));
		});
		assert.equal(await lockHolder(daemonLock), undefined);
		await guest.checkInGuest();
	});

	test('that is being merged keeps nobody waiting who is told to stop, and is merged when the host is done', async t => {
		const bench = await made(t, { lockMs: 50 });
		const guest = await switchedGuest(bench);
		const { faults } = bench.windows;
		const stop = new AbortController();
		await anew(bench, machine => machine.powerOff());
		faults.at('Merge-VHD piece', { kind: 'hold' });
		const starting = anew(bench, machine => machine.powerOn('target', { signal: stop.signal }));
		await waitFor('it to be merged', async () => faults.heldAt('Merge-VHD piece') === 1, { timeoutMs: 30_000 });
		stop.abort(new Error('another order'));
		await assert.rejects(starting, /another order/);
		await anew(bench, machine => machine.powerOff());
		await assert.rejects(
			anew(bench, machine => machine.powerOn('target')),
			{ code: 'hypervisor_failed', details: { driver: 'busy' } },
		);
		faults.release('Merge-VHD piece');
		const started = async () =>
			anew(bench, machine => machine.powerOn('target')).then(
				() => true,
				() => false,
			);
		await waitFor('it to be started', started, { timeoutMs: 30_000 });
		assert.ok((await recorded(bench)).merged);
		await guest.checkInGuest();
		await anew(bench, machine => machine.powerOff());
		await guest.checkContent();
	});

	test("is started with its owner's own checkpoints once it is handed over", async t => {
		const bench = await made(t);
		await handedOver(bench);
		await bench.windows.addCheckpoint(bench.definition.recoveryId);
		await anew(bench, machine => machine.powerOn('target'));
		assert.equal((await observed(bench)).power, 'on');
	});

	test('that its owner has removed after the switch is handed over all the same: nothing of its volume is left', async t => {
		const bench = await made(t);
		const guest = await startedGuest(bench);
		await restoreTargets(bench);
		await anew(bench, machine => machine.switchToTarget(new SwitchRecord(bench, guest)));
		const { recoveryId, disks } = bench.definition;
		const { windows } = bench.paths;
		const overlays = disks.map(disk => windows.overlay(disk));
		await bench.hyperv.driver.ask('remove-machine', { recoveryId, overlays, directory: windows.directory });
		await anew(bench, machine => machine.handOver());
		assert.deepEqual(await bench.leftovers(), ['hyperv.json']);
	});

	test('keeps its volume while it runs though somebody else has taken the port, and is told who is in the way', async t => {
		const bench = await made(t);
		const guest = await startedGuest(bench);
		await guest.write();
		await stopTarget({ directory: bench.paths.iscsi });
		const { port } = (await recorded(bench)).iscsi;
		const other = createServer(socket => socket.destroy()); // Windows tries it, and `close` would wait for that
		await new Promise<void>(resolve => other.listen(port, '127.0.0.1', resolve));
		const presented = () => anew(bench, machine => machine.presentBase());
		await assert.rejects(presented(), { code: 'host_busy', message: new RegExp(`127.0.0.1:${port}`) });
		await new Promise(resolve => other.close(resolve));
		await presented();
		assert.equal((await recorded(bench)).iscsi.port, port);
		await guest.checkInGuest();
	});

	test('gets its volume by another port when somebody else has taken its own', async t => {
		const bench = await made(t);
		const guest = await startedGuest(bench);
		await guest.write();
		await anew(bench, machine => machine.powerOff());
		await stopTarget({ directory: bench.paths.iscsi });
		const { port } = (await recorded(bench)).iscsi;
		const other = createServer(socket => socket.destroy()); // Windows tries it, and `close` would wait for that
		await new Promise<void>(resolve => other.listen(port, '127.0.0.1', resolve));
		t.after(() => other.close());
		await anew(bench, machine => start(machine, 'mover'));
		assert.notEqual((await recorded(bench)).iscsi.port, port);
		await guest.checkInGuest();
	});

	for (const operation of ['remove-machine', 'disconnect-volume'] as const)
		test(`\`remove\` leaves nothing when the session broke before and after ${operation}, and it was called again`, async t => {
			const bench = await made(t);
			await startedGuest(bench);
			for (const point of [`op ${operation}`, `op ${operation} done`]) {
				bench.windows.faults.at(point, { kind: 'drop' });
				await assert.rejects(
					anew(bench, machine => machine.remove()),
					{ code: 'hypervisor_failed' },
				);
			}
			await anew(bench, machine => machine.remove());
			assert.deepEqual(await bench.leftovers(), []);
			const { daemonLock, storageLock } = targetPaths({ directory: bench.paths.iscsi });
			for (const lock of [daemonLock, storageLock]) assert.equal(await lockHolder(lock), undefined);
		});

	test('`removeTargets` is carried on when the session broke, and leaves nothing', async t => {
		const bench = await made(t);
		await anew(bench, async machine => {
			await machine.makeTargets();
			await machine.openTargets();
			bench.windows.faults.at('op remove-targets done', { kind: 'drop' });
			await assert.rejects(machine.removeTargets(), { code: 'hypervisor_failed' });
			await machine.removeTargets();
			await assert.rejects(machine.openTargets(), { code: 'identity_conflict' });
		});
	});

	test('`openTargets` asks Windows nothing for disks that are here: what Windows waits for may be the mover that wants them', async t => {
		const bench = await made(t);
		await anew(bench, machine => machine.makeTargets());
		const opened = await anew(bench, machine => machine.openTargets());
		bench.windows.faults.at('op attach-target', { kind: 'hold' });
		const signal = AbortSignal.timeout(20_000);
		assert.deepEqual(await anew(bench, machine => machine.openTargets({ signal })), opened);
		assert.equal(bench.windows.faults.heldAt('op attach-target'), 0);
	});

	test('`makeTargets` makes none where their whole space is not free, and takes one for its own that it had not recorded', async t => {
		const bench = await made(t);
		bench.windows.faults.conditions.freeBytes = 6 * 2 ** 20;
		await assert.rejects(
			anew(bench, machine => machine.makeTargets()),
			{ code: 'space_short' },
		);
		bench.windows.faults.mend();
		bench.windows.faults.at('op make-target done', { kind: 'drop' });
		await assert.rejects(
			anew(bench, machine => machine.makeTargets()),
			{ code: 'hypervisor_failed' },
		);
		await anew(bench, machine => machine.makeTargets());
		assert.equal((await anew(bench, machine => machine.openTargets())).length, 2);
	});
});
