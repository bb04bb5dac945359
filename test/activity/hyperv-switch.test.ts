/** The switch of a machine on a simulated Hyper-V host, when something of the host fails in it. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { start } from '../../hypervisors/conformance/started-guest.ts';
import { targetReads } from '../../hypervisors/conformance/targets.ts';
import { stopTarget } from '../../hypervisors/hyperv/iscsi/target.ts';
import { records, targetIds } from '../../hypervisors/hyperv/record.ts';
import { temporaryDirectory } from '../equipment/captive.ts';
import type { HypervBench } from '../equipment/hyperv-bench.ts';
import { appliance } from '../equipment/hyperv-host.ts';
import { attempt, power, type Readied, readiedHyperv } from '../equipment/hyperv-readied.ts';
import { qemuCompare, sevenZipContent } from '../equipment/vhdx-judges.ts';

const readied = (t: TestContext) => readiedHyperv(t, 'child');

async function switchedWithEveryWrite(state: Readied): Promise<void> {
	const { bench, guest, record } = state;
	await attempt(state);
	assert.equal(record.chain, 'target');
	await anew(bench, machine => machine.powerOn('target'));
	assert.ok(await guest.write(), 'the guest does not run');
	await guest.checkInGuest();
	await anew(bench, machine => machine.powerOff());
	await guest.checkContent();
	assert.deepEqual(bench.mover.refused, []);
}

/** Half-way: the first overlay is on its target, the others are on the volume. */
const onBoth = ({ definition: { disks }, paths: { windows } }: HypervBench) =>
	disks.map((disk, at) => ({
		leaf: windows.overlay(disk),
		parent: at === 0 ? windows.target(disk) : windows.baseFile(disk),
	}));

const onBase = ({ definition: { disks }, paths: { windows } }: HypervBench) =>
	disks.map(disk => ({ leaf: windows.overlay(disk), parent: windows.baseFile(disk) }));

/** The first target is attached to the appliance again, and the second overlay is back on the volume. */
async function lateOrders({ hyperv, definition, paths }: HypervBench): Promise<void> {
	const { recoveryId, disks } = definition;
	const [first, second] = disks;
	assert.ok(first && second);
	const { windows } = paths;
	const [firstId = '', secondId = ''] = await targetIds(definition, paths);
	await hyperv.driver.ask('attach-target', {
		recoveryId,
		appliance,
		path: windows.target(first),
		virtualDiskId: firstId,
	});
	await hyperv.driver.ask('reparent', {
		recoveryId,
		overlay: windows.overlay(second),
		from: [windows.target(second)],
		parent: windows.baseFile(second),
		parentId: secondId,
		anew: false,
	});
}

suite('`switchToTarget` on Hyper-V', { concurrency: 2 }, () => {
	for (const [what, point] of [
		['the second overlay cannot be moved', 'Set-VHD'],
		['a target cannot be detached', 'Remove-VMHardDiskDrive'],
	] as const)
		test(`lets the guest go on from the volume when ${what}, and the mount mover open the targets anew`, async t => {
			const state = await readied(t);
			const { bench, guest, record } = state;
			const boot = await bench.boot();
			const { starts } = bench.mover;
			record.at = async place => {
				const second = point === 'Set-VHD' ? 'switch.reparented-one' : 'switch.saved';
				if (place === second) bench.windows.faults.at(point, { kind: 'hresult', hresult: '0x80070020' });
			};
			await assert.rejects(attempt(state));
			record.at = async () => {};
			assert.equal(record.chain, 'mover');
			assert.equal(await power(bench), 'on');
			assert.equal(await bench.boot(), boot, 'the guest was started anew');
			assert.equal(bench.mover.starts, starts + 1, 'the mover has the targets as they were');
			for (const [disk, content] of bench.base.entries()) assert.deepEqual(await targetReads(bench, disk), content);
			assert.ok(await guest.write(), 'the guest does not go on');
			await switchedWithEveryWrite(state);
		});

	test('lets the guest go on from the volume when mount mover and iSCSI target died in the pause as well', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const boot = await bench.boot();
		record.at = async place => {
			if (place !== 'switch.reparented-one') return;
			await bench.mover.stop();
			await stopTarget({ directory: bench.paths.iscsi });
			bench.windows.faults.at('Set-VHD', { kind: 'hresult', hresult: '0x80070020' });
		};
		await assert.rejects(attempt(state), { message: /^(?!.*stands still)/s });
		record.at = async () => {};
		assert.equal(await power(bench), 'on');
		assert.equal(await bench.boot(), boot, 'the guest was started anew');
		assert.ok(await guest.write(), 'the guest does not go on');
		await guest.checkInGuest();
		await switchedWithEveryWrite(state);
	});

	test('is taken back by the next start when supervisor, mover and guest died in the pause', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		record.at = async place => {
			if (place === 'switch.reparented-one') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		record.at = async () => {};
		await bench.mover.stop();
		await anew(bench, machine => machine.powerOff());
		await anew(bench, machine => start(machine, 'mover'));
		assert.deepEqual(await targetReads(bench, 0), bench.base[0]);
		assert.ok(await guest.write(), 'the guest does not run');
		await guest.checkInGuest();
		await switchedWithEveryWrite(state);
	});

	test('gives the mount mover its targets back when somebody has started the guest in the pause', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const { starts } = bench.mover;
		const { recoveryId } = bench.definition;
		record.at = async place => {
			if (place === 'switch.released') await bench.hyperv.driver.ask('start', { recoveryId, disks: onBase(bench) });
		};
		await assert.rejects(attempt(state), { code: 'phase_wrong' });
		record.at = async () => {};
		assert.equal(bench.mover.starts, starts + 1, 'the mover has no targets');
		for (const [disk, content] of bench.base.entries()) assert.deepEqual(await targetReads(bench, disk), content);
		assert.ok(await guest.write(), 'the guest does not run');
		await switchedWithEveryWrite(state);
	});

	test('saves a guest again that somebody has started half-way in the pause, and lets it go on from the volume', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const boot = await bench.boot();
		const { recoveryId } = bench.definition;
		record.at = async place => {
			if (place === 'switch.reparented-one') await record.rememberResume(false); // as of one that stood still
			if (place === 'switch.reparented-one')
				await bench.hyperv.driver.ask('start', { recoveryId, disks: onBoth(bench) });
		};
		await assert.rejects(attempt(state), { code: 'phase_wrong', message: /^(?!.*stands still)/s });
		record.at = async () => {};
		assert.equal(record.chain, 'mover');
		assert.equal(await power(bench), 'on');
		assert.equal(await bench.boot(), boot, 'the guest was started anew');
		for (const [disk, content] of bench.base.entries()) assert.deepEqual(await targetReads(bench, disk), content);
		assert.ok(await guest.write(), 'the guest does not go on');
		await guest.checkInGuest();
		await switchedWithEveryWrite(state);
	});

	for (const targets of ['machine', 'returning'] as const)
		test(`is carried on with a guest that somebody has started half-way after the supervisor died; targets: ${targets}`, async t => {
			const state = await readied(t);
			const { bench, guest, record } = state;
			const boot = await bench.boot();
			const { definition, paths, hyperv } = bench;
			record.at = async place => {
				if (place === 'switch.reparented-one') throw new Error('the supervisor dies');
			};
			await assert.rejects(attempt(state));
			record.at = async () => {};
			await records.change(definition, paths, { targets });
			await hyperv.driver.ask('start', { recoveryId: definition.recoveryId, disks: onBoth(bench) });
			await attempt(state);
			assert.equal(record.chain, 'target');
			assert.equal(await power(bench), 'on');
			assert.equal(await bench.boot(), boot, 'the guest was started anew');
			await guest.checkInGuest();
			await switchedWithEveryWrite(state);
		});

	test('leaves a guest running that cannot be saved, and refuses to save it where its memory has no room', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		const { starts } = bench.mover;
		bench.windows.faults.at('Save-VM', { kind: 'fail', rule: 'diskFull' });
		await assert.rejects(attempt(state));
		assert.equal(await power(bench), 'on');
		bench.windows.faults.conditions.freeBytes = 31 * 2 ** 20;
		await assert.rejects(attempt(state), { code: 'space_short' });
		bench.windows.faults.mend();
		assert.equal(bench.mover.starts, starts);
		assert.ok(await guest.write(), 'the guest does not go on');
		await switchedWithEveryWrite(state);
	});

	test('carries on and resumes a guest that Windows saves only after the answer was lost and the guest seen running', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		bench.windows.faults.at('op power', { kind: 'drop' });
		await assert.rejects(attempt(state), { code: 'hypervisor_failed' });
		assert.equal(await power(bench), 'on');
		await anew(bench, machine => machine.reset());
		await anew(bench, machine => machine.powerOn('mover'));
		assert.ok(await guest.write(), 'the guest does not run');
		const boot = await bench.boot();
		const { recoveryId } = bench.definition;
		await bench.hyperv.driver.ask('power', { recoveryId, action: 'save' });
		await assert.rejects(
			anew(bench, machine => machine.powerOn('mover')),
			{ code: 'phase_wrong' },
		);
		await attempt(state);
		assert.equal(await power(bench), 'on');
		assert.equal(await bench.boot(), boot, 'the guest was started anew');
		await switchedWithEveryWrite(state);
	});

	test('is carried on in the pause of a guest that somebody else had started in this boot of Windows', async t => {
		const state = await readied(t);
		const { bench, record } = state;
		const { recoveryId } = bench.definition;
		await bench.restartWindows();
		await bench.mover.start();
		await anew(bench, machine => machine.presentBase());
		await bench.hyperv.driver.ask('start', { recoveryId, disks: onBase(bench) });
		record.at = async place => {
			if (place === 'switch.saved') throw new Error('the supervisor dies');
		};
		await assert.rejects(attempt(state));
		record.at = async () => {};
		await attempt(state);
		assert.equal(await power(bench), 'on');
		await switchedWithEveryWrite(state);
	});

	test('keeps a guest standing that does not resume on its targets, and lets it go on when it does', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		bench.windows.faults.conditions.savedStateUnusable = true;
		await assert.rejects(attempt(state));
		assert.equal(state.record.chain, 'target');
		assert.equal(await power(bench), 'paused');
		assert.equal(await guest.write(), false);
		bench.windows.faults.mend();
		await switchedWithEveryWrite(state);
	});

	test("stops at somebody's own checkpoint, says what to do, and starts no machine on it", async t => {
		const { bench, guest, record } = await readied(t);
		const refusal = { code: 'machine_failed', hint: /remove checkpoints of this machine/ };
		await anew(bench, machine => machine.powerOff());
		await bench.windows.addCheckpoint(bench.definition.recoveryId);
		await assert.rejects(attempt({ bench, guest, record }), refusal);
		assert.equal(record.chain, 'mover');
		await assert.rejects(
			anew(bench, machine => start(machine, 'mover')),
			refusal,
		);
		assert.equal(await power(bench), 'off');
	});

	test('is refused while the guest runs on, when the appliance has a checkpoint over a target', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const boot = await bench.boot();
		await bench.windows.addApplianceCheckpoint();
		await assert.rejects(attempt(state), { code: 'machine_failed', message: /checkpoint/ });
		assert.deepEqual([record.places, record.chain, await power(bench)], [[], 'mover', 'on']);
		assert.equal(await bench.boot(), boot);
		assert.ok(await guest.write(), 'the guest does not run');
	});

	test('neither starts nor resumes a machine that somebody has saved, and switches it all the same', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		const boot = await bench.boot();
		const { recoveryId } = bench.definition;
		await bench.hyperv.driver.ask('power', { recoveryId, action: 'save' });
		assert.equal(await power(bench), 'paused');
		assert.deepEqual(await attempt(state), { pauseMs: 0 });
		assert.equal(await power(bench), 'paused');
		assert.equal(record.resume, undefined);
		await anew(bench, machine => machine.powerOn('target'));
		assert.equal(await bench.boot(), boot);
		await guest.checkInGuest();
		await switchedWithEveryWrite(state);
	});

	test('ends with the machine off where its overlays cannot be merged, and leaves no session', async t => {
		const state = await readied(t);
		const { bench, guest, record } = state;
		await anew(bench, machine => machine.powerOff());
		bench.windows.faults.at('Merge-VHD', { kind: 'fail', rule: 'diskFull' });
		assert.deepEqual(await attempt(state), { pauseMs: 0 });
		assert.equal(record.chain, 'target');
		assert.equal(bench.windows.parts.sessions.size, 0);
		await guest.checkContent();
		await anew(bench, machine => machine.powerOn('target'));
		await guest.checkInGuest();
		await switchedWithEveryWrite(state);
	});

	for (const stage of ['saved', 'off'] as const)
		test(`puts a machine that is ${stage} onto its targets again when a dead supervisor's orders come after the mark`, async t => {
			const state = await readied(t);
			const { bench, record } = state;
			record.at = async place => {
				if (place === 'switch.marked-target') throw new Error('the supervisor dies');
			};
			await assert.rejects(attempt(state));
			record.at = async () => {};
			if (stage === 'off') await anew(bench, machine => machine.powerOff());
			await lateOrders(bench);
			await switchedWithEveryWrite(state);
		});

	test('leaves each disk in two files that 7zz reads as the guest wrote it, and merged it is one that qemu-img agrees on', async t => {
		const state = await readied(t);
		const { bench, guest } = state;
		await attempt(state);
		await guest.write();
		await anew(bench, machine => machine.powerOff());
		await guest.checkContent();
		const contents = await Promise.all(bench.base.map((_content, disk) => bench.content(disk)));
		const { windows } = bench.paths;
		for (const [at, disk] of bench.definition.disks.entries())
			assert.ok(
				(await sevenZipContent(bench.hyperv.place(windows.overlay(disk)))).equals(contents[at] ?? Buffer.alloc(0)),
			);
		await anew(bench, machine => machine.powerOn('target'));
		await anew(bench, machine => machine.powerOff());
		assert.deepEqual(
			(await bench.leftovers()).filter(name => name.startsWith('overlay')),
			[],
		);
		const scratch = await temporaryDirectory(t);
		for (const [at, disk] of bench.definition.disks.entries()) {
			const target = bench.hyperv.place(windows.target(disk));
			assert.ok((await sevenZipContent(target)).equals(contents[at] ?? Buffer.alloc(0)));
			await writeFile(join(scratch, 'raw'), contents[at] ?? '');
			await qemuCompare(target, join(scratch, 'raw'));
		}
	});

	const operations = ['power', 'detach-target', 'reparent', 'chain', 'start', 'disconnect-volume'] as const;
	for (const operation of operations) {
		test(`is carried on when the session breaks before or after ${operation}, with every write`, async t => {
			const state = await readied(t);
			const { bench, guest } = state;
			const boot = await bench.boot();
			for (const point of [`op ${operation}`, `op ${operation} done`]) {
				bench.windows.faults.at(point, { kind: 'drop' });
				await attempt(state).catch(() => undefined);
				await guest.write();
			}
			await attempt(state);
			assert.equal(await power(bench), 'on');
			assert.equal(await bench.boot(), boot, 'the guest was started anew');
			await switchedWithEveryWrite(state);
		});

		test(`is carried on when the host loses its power at ${operation}, with every write that was flushed`, async t => {
			const state = await readied(t);
			const { bench, guest, record } = state;
			bench.windows.faults.at(`op ${operation} done`, { kind: 'power-loss' });
			await attempt(state).catch(() => undefined);
			await bench.fate.reboot();
			await bench.mover.start();
			assert.equal(await power(bench), 'off', 'the host was started anew: what becomes of its machines is to be asked');
			await anew(bench, machine => start(machine, record.chain));
			await guest.checkInGuest();
			assert.ok(await guest.write(), 'the guest does not run');
			await switchedWithEveryWrite(state);
		});
	}
});
