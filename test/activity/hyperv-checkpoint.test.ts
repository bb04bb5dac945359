/** Overlays by checkpoint on a simulated Hyper-V host: where they differ from children, in making, switch, merge and removal. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { conformance } from '../../hypervisors/conformance.ts';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { start } from '../../hypervisors/conformance/started-guest.ts';
import { targetReads } from '../../hypervisors/conformance/targets.ts';
import { records, targetIds } from '../../hypervisors/hyperv/record.ts';
import { removeVmSnapshot } from '../../hypervisors/hyperv/simulator/cmdlets/checkpoint.ts';
import { DiskFile } from '../../hypervisors/hyperv/simulator/disk-file.ts';
import { VhdxWriter } from '../../hypervisors/hyperv/simulator/vhdx-writer.ts';
import { accountOf, grantAccess } from '../../hypervisors/hyperv/simulator/host-files.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import { type HypervBench, makeHypervBench } from '../equipment/hyperv-bench.ts';
import { attempt, heldAt, power, type Readied, readiedHyperv, readiedOn } from '../equipment/hyperv-readied.ts';
import { qemuCompare, sevenZipContent } from '../equipment/vhdx-judges.ts';

const overlay = 'checkpoint';

/** Those of the suite in which the kind of overlay has a part. */
const places = ['switch.released', 'switch.reparented-one', 'switch.marked-target', 'switch.merging'];
const cases = [
	'a snapshot that is there is never touched again',
	'remove leaves nothing but the targets, also of a machine that runs, and may be called again',
	'`removeTargets` leaves nothing, and may be called again',
	'a switch done again does nothing',
	'a machine that is off is switched offline',
	'after a boot of the host a machine with all blocks restored is switched',
	'after the hand-over nothing is left but the machine itself',
	...places.map(place => `a switch whose supervisor dies at ${place} is carried on`),
	'a switch that is aborted at switch.reparented-one leaves the guest running, and is carried on',
	...places.slice(1).map(place => `a machine that dies at ${place} starts again with every write, and is switched`),
];

suite('Hyper-V, simulated, with overlays by checkpoint keeps the contract', { concurrency: 2 }, () => {
	const all = conformance(() => makeHypervBench({ overlay }), { places });
	for (const name of cases)
		test(name, async () => {
			const found = all.find(one => one.name === name);
			assert.ok(found, 'the suite has no such case');
			await found.run();
		});
});

const readied = (t: TestContext) => readiedHyperv(t, overlay);
const recorded = ({ definition, paths }: HypervBench) => records.of(definition, paths);

/** What each disk of the machine consists of, the leaf first. */
async function filesOf({ hyperv, windows, definition }: HypervBench): Promise<string[][]> {
	await windows.untilMerged();
	const { disks } = await hyperv.driver.ask('chain', { recoveryId: definition.recoveryId });
	return disks.map(({ files }) => files.map(({ path }) => path));
}

const ownPlaces = ({ definition: { disks }, paths: { windows } }: HypervBench) =>
	disks.map(disk => [windows.place(disk)]);

/** Of a supervisor that is dead: its disks from this one on stand on the volume again, and all targets are under their names. */
async function lateOrders(bench: HypervBench, from: number): Promise<void> {
	const { definition, paths, hyperv } = bench;
	const { recoveryId, disks } = definition;
	const { windows } = paths;
	const ids = await targetIds(definition, paths);
	const { overlays } = await recorded(bench);
	for (const [at, disk] of disks.entries()) {
		const [target, place, kept] = [windows.target(disk), windows.place(disk), windows.kept(disk)];
		await hyperv.driver.ask('put-target', { recoveryId, target, place, kept, to: 'own' });
		const parentId = ids[at] ?? '';
		const request = { recoveryId, overlay: overlays[at] ?? '', from: [place], parentId, anew: false };
		if (at >= from) await hyperv.driver.ask('reparent', { ...request, parent: windows.baseFile(disk) });
	}
}

/** As a target that was filled has another than its placeholder. */
async function givenAnotherId(path: string): Promise<void> {
	const file = await DiskFile.open(path, path, 'r+');
	await (await VhdxWriter.open(file)).setDataWriteGuid(randomUUID());
	await file.close();
}

async function switchedWithEveryWrite(state: Readied): Promise<void> {
	const { bench, guest, record } = state;
	await attempt(state);
	assert.equal(record.chain, 'target');
	await anew(bench, machine => machine.powerOn('target'));
	assert.ok(await guest.write(), 'the guest does not run');
	await guest.checkInGuest();
	assert.deepEqual(await filesOf(bench), ownPlaces(bench));
	await guest.checkInGuest();
	await anew(bench, machine => machine.powerOff());
	await guest.checkContent();
	assert.deepEqual(bench.mover.refused, []);
}

suite('a machine with overlays by checkpoint', { concurrency: 2 }, () => {
	test('is switched and merged while it runs: 7zz reads its two files and then its one as the guest wrote it, qemu-img the one', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const boot = await bench.boot();
		let read = 0;
		record.at = async place => {
			if (place !== 'switch.resumed') return;
			await guest.write();
			for (const [at, leaf] of (await recorded(bench)).overlays.entries()) {
				const seen = await bench.windows.guest(bench.definition.recoveryId).read(at, 0, bench.base[at]?.length ?? 0);
				assert.ok((await sevenZipContent(bench.hyperv.place(leaf))).equals(seen));
				read += 1;
			}
		};
		await attempt(state);
		assert.equal(read, bench.base.length);
		assert.deepEqual(await filesOf(bench), ownPlaces(bench));
		assert.equal(await bench.boot(), boot, 'the guest was started anew');
		await guest.checkInGuest();
		await anew(bench, machine => machine.powerOff());
		await guest.checkContent();
		const scratch = await temporaryDirectory(t);
		for (const [at, disk] of bench.definition.disks.entries()) {
			const one = bench.hyperv.place(bench.paths.windows.place(disk));
			const content = await bench.content(at);
			assert.ok((await sevenZipContent(one)).equals(content), disk.name);
			await writeFile(join(scratch, 'raw'), content);
			await qemuCompare(one, join(scratch, 'raw'));
		}
		await anew(bench, machine => machine.handOver());
		assert.ok((await recorded(bench)).merged);
		assert.deepEqual(
			(await bench.leftovers()).filter(name => /avhdx|placeholder/.test(name)),
			[],
		);
	});

	test('whose host loses its power before its checkpoint has a name goes on with that checkpoint', async t => {
		const bench = await makeHypervBench({ overlay });
		t.after(() => bench.dispose());
		bench.windows.faults.at('Checkpoint-VM naming', { kind: 'power-loss' });
		await assert.rejects(readiedOn(bench));
		await bench.fate.reboot();
		const state = await readiedOn(bench);
		const [vm] = bench.windows.parts.state.vms;
		assert.deepEqual(vm?.checkpoints, [`rouse-${bench.definition.recoveryId}`]);
		await switchedWithEveryWrite(state);
	});

	for (const [what, point] of [
		['the second overlay cannot be moved', 'Set-VHD'],
		['a target gets half-way to its place', 'Replace half'],
	] as const)
		test(`goes on from the volume when ${what}, and the mount mover has its targets under their own names`, async t => {
			const state = await readied(t);
			const { bench, guest, record } = state;
			const boot = await bench.boot();
			record.at = async place => {
				const before = point === 'Set-VHD' ? 'switch.reparented-one' : 'switch.saved';
				if (place === before) bench.windows.faults.at(point, { kind: 'hresult', hresult: '0x80070020' });
			};
			await assert.rejects(attempt(state));
			record.at = async () => {};
			assert.equal(record.chain, 'mover');
			assert.equal(await power(bench), 'on');
			assert.equal(await bench.boot(), boot, 'the guest was started anew');
			for (const [disk, content] of bench.base.entries()) assert.deepEqual(await targetReads(bench, disk), content);
			assert.ok(await guest.write(), 'the guest does not go on');
			await guest.checkInGuest();
			await switchedWithEveryWrite(state);
		});

	for (const point of ['Replace half', 'Set-VHD done'])
		test(`starts from the volume with every write when its host loses its power at ${point} of the switch`, async t => {
			const state = await readied(t);
			const { bench, guest, record } = state;
			record.at = async place => {
				if (place === 'switch.saved') bench.windows.faults.at(point, { kind: 'power-loss' });
			};
			await assert.rejects(attempt(state));
			record.at = async () => {};
			await bench.fate.reboot();
			await bench.mover.start();
			await anew(bench, machine => start(machine, 'mover'));
			assert.ok(await guest.write(), 'the guest does not run');
			await guest.checkInGuest();
			await switchedWithEveryWrite(state);
		});

	test('is put onto its targets again when orders of a dead supervisor come after the mark', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		record.at = async place => {
			if (place === 'switch.marked-target') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		record.at = async () => {};
		await lateOrders(bench, 1);
		await switchedWithEveryWrite(state);
	});

	test('that is off, and was put back onto the volume after the marks, is handed over on its targets, and not while it runs there', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		await anew(bench, machine => machine.powerOff());
		record.at = async place => {
			if (place === 'switch.marked-target') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		await lateOrders(bench, 0);
		const { recoveryId, disks } = bench.definition;
		const { overlays } = await recorded(bench);
		const onBase = disks.map((disk, at) => ({ leaf: overlays[at] ?? '', parent: bench.paths.windows.baseFile(disk) }));
		await bench.hyperv.driver.ask('start', { recoveryId, disks: onBase });
		await assert.rejects(
			anew(bench, machine => machine.handOver()),
			{ code: 'machine_failed', message: /goes with its recovery/ },
		);
		await anew(bench, machine => machine.powerOff());
		await anew(bench, machine => machine.handOver());
		assert.deepEqual(await filesOf(bench), ownPlaces(bench));
	});

	test('is switched with every write when an overlay was linked to the empty disk in the place of its target', async t => {
		const state = await readied(t);
		const { bench } = state;
		const { definition, paths, hyperv } = bench;
		const { recoveryId, disks } = definition;
		await hyperv.driver.ask('power', { recoveryId, action: 'save' });
		const ids = await targetIds(definition, paths);
		const { overlays } = await recorded(bench);
		for (const [at, disk] of disks.entries()) {
			const [from, parent] = [[paths.windows.baseFile(disk)], paths.windows.place(disk)];
			await givenAnotherId(hyperv.place(parent));
			const request = { recoveryId, overlay: overlays[at] ?? '', from, parent, parentId: ids[at] ?? '', anew: false };
			await hyperv.driver.ask('reparent', request);
		}
		await switchedWithEveryWrite(state);
	});

	test('that cannot be merged runs on two files each and says so, and is merged by the hand-over', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		bench.windows.faults.at('Remove-VMSnapshot', { kind: 'hresult', hresult: '0x80070020' });
		await anew(bench, async machine => {
			await machine.switchToTarget(record);
			assert.match(machine.debug['notMerged'] ?? '', /0x80070020|as the test has it/);
		});
		assert.equal((await filesOf(bench))[0]?.length, 2);
		await anew(bench, machine => machine.handOver());
		assert.deepEqual(await filesOf(bench), ownPlaces(bench));
		await guest.checkInGuest();
	});

	test('is one file a disk, with every write, after its host lost its power in the merge', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		const { faults } = bench.windows;
		faults.at('merge piece', { kind: 'hold' });
		await attempt(state);
		await heldAt(bench, 'merge piece');
		// A write under way then may be there or not: there is none.
		faults.at('merge piece', { kind: 'power-loss' });
		faults.release('merge piece');
		await bench.windows.untilMerged();
		await bench.fate.reboot();
		await switchedWithEveryWrite(state);
		await anew(bench, machine => machine.powerOn('target'));
		assert.ok((await recorded(bench)).merged);
		await guest.checkInGuest();
	});

	test('is started when Windows ends its merge between the look at its disks and the start', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		const { faults } = bench.windows;
		faults.at('merge piece', { kind: 'hold' });
		await attempt(state);
		await heldAt(bench, 'merge piece');
		await anew(bench, machine => machine.powerOff());
		faults.at('op start', { kind: 'hold' });
		const starts = anew(bench, machine => machine.powerOn('target'));
		await heldAt(bench, 'op start');
		faults.release('merge piece');
		assert.deepEqual(await filesOf(bench), ownPlaces(bench));
		faults.release('op start');
		await starts;
		assert.ok((await recorded(bench)).merged);
		await guest.checkInGuest();
	});

	test('that somebody has saved is switched, and merged when it goes on', async t => {
		const state = await readied(t);
		const { bench } = state;
		const boot = await bench.boot();
		const { recoveryId } = bench.definition;
		await bench.hyperv.driver.ask('power', { recoveryId, action: 'save' });
		assert.deepEqual(await attempt(state), { pauseMs: 0 });
		assert.equal(await power(bench), 'paused');
		assert.equal((await filesOf(bench))[0]?.length, 2);
		await anew(bench, machine => machine.powerOn('target'));
		assert.equal(await bench.boot(), boot);
		await switchedWithEveryWrite(state);
	});

	test('that somebody has saved says that it waits, and is merged by the next `powerOn` when somebody has let it go on', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		const { recoveryId, disks } = bench.definition;
		await bench.hyperv.driver.ask('power', { recoveryId, action: 'save' });
		await anew(bench, async machine => {
			await machine.switchToTarget(record);
			assert.match(machine.debug['notMerged'] ?? '', /is Saved/);
		});
		const { overlays } = await recorded(bench);
		const onTargets = disks.map((disk, at) => ({ leaf: overlays[at] ?? '', parent: bench.paths.windows.place(disk) }));
		await bench.hyperv.driver.ask('start', { recoveryId, disks: onTargets });
		await anew(bench, machine => machine.powerOn('target'));
		assert.deepEqual(await filesOf(bench), ownPlaces(bench));
	});

	test("is neither started nor switched over somebody's checkpoint, or without Rouse's own", async t => {
		const state = await readied(t);
		const { bench } = state;
		const { recoveryId } = bench.definition;
		await anew(bench, machine => machine.powerOff());
		await bench.windows.addCheckpoint(recoveryId);
		const starts = () => anew(bench, machine => start(machine, 'mover'));
		for (const act of [starts, () => attempt(state)])
			await assert.rejects(act, { code: 'machine_failed', hint: /remove checkpoints of this machine/ });
		const [vm] = bench.windows.parts.state.vms;
		assert.ok(vm);
		vm.checkpoints = vm.checkpoints.slice(0, -1);
		await removeVmSnapshot(bench.windows.parts, vm, `rouse-${recoveryId}`);
		for (const act of [starts, () => attempt(state)])
			await assert.rejects(act, { code: 'machine_failed', message: /somebody has removed the checkpoint/ });
		assert.equal(await power(bench), 'off');
	});

	test('that is merged is started wherever its owner has put its disks', async t => {
		const state = await readied(t);
		const { bench } = state;
		await switchedWithEveryWrite(state);
		await anew(bench, machine => machine.powerOn('target'));
		await anew(bench, machine => machine.powerOff());
		assert.ok((await recorded(bench)).merged);
		const [vm] = bench.windows.parts.state.vms;
		for (const drive of vm?.drives ?? []) {
			const { path } = drive;
			drive.path = path.replace('disk', 'of-its-owner');
			await rename(bench.hyperv.place(path), bench.hyperv.place(drive.path));
			await grantAccess(bench.windows.parts, drive.path, accountOf(vm?.vmId ?? ''));
		}
		await anew(bench, machine => machine.powerOn('target'));
		assert.equal(await power(bench), 'on');
	});
});
