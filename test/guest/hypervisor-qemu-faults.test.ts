import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { anew } from '../../hypervisors/conformance/bench.ts';
import { GuestModel } from '../../hypervisors/conformance/guest-model.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { lockHolder } from '../../system/process-lock.ts';
import { waitFor } from '../../system/wait.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';
import { refusingMover } from '../equipment/refusing-mover.ts';

const run = promisify(execFile);

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench(options);
	t.after(() => made.dispose());
	return made;
}

/** A guest that writes nothing by itself. */
function silent(made: QemuBench): GuestModel {
	return new GuestModel({ ...made, base: [] });
}

/** Of the user who runs the tests: it changes the limits of its QEMU, and gives it files to open. */
const asOurselves = { options: { machineUids: async () => 'none' as const } };

/** No file of this machine grows beyond the limit: a full disk, as far as one can be had without being root. */
function limited(bytes: number): string {
	return `trap '' XFSZ\nulimit -S -f ${Math.floor(bytes / 512)}`;
}

async function setLimit(made: QemuBench, soft: string): Promise<void> {
	const holder = await lockHolder(machinePaths(made.definition).lock);
	await run('prlimit', ['--pid', String(holder?.pid), `--fsize=${soft}:unlimited`]);
}

const liftLimit = (made: QemuBench) => setLimit(made, 'unlimited');

/** An attempt at the switch whose supervisor dies at the place. */
async function diesAt(made: QemuBench, record: SwitchRecord, place: string): Promise<void> {
	record.at = async reached => {
		if (reached === place) throw new Error(`died at ${place}`);
	};
	await assert.rejects(
		anew(made, machine => machine.switchToTarget(record)),
		/died at/,
	);
	record.at = async () => {};
}

async function untilIoError(made: QemuBench) {
	return waitFor(
		'the guest to stand still at an I/O error',
		() => anew(made, async machine => (await machine.observe()).ioError && machine.observe()),
		{ timeoutMs: 15_000 },
	);
}

/** 16-bit code that writes the second sector of the first disk, again and again: INT 13h, AH=03h. */
const writingBootSector = Buffer.from('b80103b90200ba8000bb007ccd13ebf0', 'hex');

suite('a machine on QEMU meets a fault:', { concurrency: 2 }, () => {
	test('a commit that fails leaves the guest running on its snapshot, and succeeds after the repair', async t => {
		const made = await bench(t, { ...asOurselves, disks: 2, prelude: limited(2_500_000) });
		const guest = await startedGuest(made);
		await restoreTargets(made);
		// Behind the limit, of both disks: the first commit to fail takes the other one with it.
		for (const disk of [0, 1]) {
			const at = { offsetBytes: 3_000_832, lengthBytes: 4096, pattern: 0x77 };
			assert.ok(await made.guest.write(disk, at));
		}
		const record = new SwitchRecord(made, silent(made));
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			{ code: 'io_failed' },
		);
		assert.equal(record.chain, 'local');
		assert.deepEqual(await made.userGuest.execute('query-jobs'), []);
		assert.ok(await guest.write(), 'the guest does not run');
		await liftLimit(made);
		await anew(made, machine => machine.switchToTarget(record));
		await guest.checkInGuest();
		assert.equal((await made.content(1))[3_000_832], 0x77);
	});

	test('a read that the mover refuses pauses the guest, and resume tries it again', async t => {
		const made = await bench(t, { disks: 1 });
		const trouble = join(made.directory, 'trouble');
		const served = join(made.directory, 'base0.raw');
		const mover = await refusingMover(made.definition.nbdSocket, served, trouble);
		t.after(() => mover.kill('SIGKILL'));
		await anew(made, machine => machine.makeTargets());
		await anew(made, machine => machine.create());
		await anew(made, machine => machine.snapshot());
		await writeFile(trouble, '');
		// The firmware looks for a boot sector; a monitor that is open then hears what kind of request it was.
		await anew(made, async machine => {
			await machine.powerOn('mover');
			await waitFor('the read to fail', async () => (await machine.observe()).ioError, { timeoutMs: 15_000 });
			assert.deepEqual(await machine.observe(), {
				power: 'paused',
				byGuest: false,
				ioError: { disk: 'disk0', operation: 'read', noSpace: false },
				crash: undefined,
			});
		});
		// Nor does a power-on let it fail again and again.
		await anew(made, machine => machine.powerOn('mover'));
		assert.equal((await untilIoError(made)).power, 'paused');
		await rm(trouble);
		await anew(made, machine => machine.resume());
		assert.deepEqual(await anew(made, machine => machine.observe()), {
			power: 'on',
			byGuest: false,
			ioError: undefined,
			crash: undefined,
		});
	});

	test('a write that fails pauses the guest, and is said to be a write', async t => {
		// Enough for an empty overlay, not for its first cluster.
		const made = await bench(t, {
			...asOurselves,
			disks: 1,
			bootSector: writingBootSector,
			prelude: limited(600 * 1024),
		});
		await made.mover.start();
		await anew(made, async machine => {
			await machine.makeTargets();
			await machine.create();
			await machine.snapshot();
			await machine.powerOn('mover');
			const ioError = await waitFor('the write to fail', async () => (await machine.observe()).ioError, {
				timeoutMs: 15_000,
			});
			assert.deepEqual(ioError, { disk: 'disk0', operation: 'write', noSpace: false });
			await liftLimit(made);
			await machine.resume();
			assert.equal((await machine.observe()).power, 'on');
		});
	});

	test('a snapshot that was lost is not made again', async t => {
		const made = await bench(t);
		await startedGuest(made);
		await anew(made, machine => machine.powerOff());
		const [disk] = made.definition.disks;
		assert.ok(disk);
		await rm(machinePaths(made.definition).overlay(disk));
		await assert.rejects(
			anew(made, machine => machine.snapshot()),
			{ code: 'machine_failed' },
		);
		await assert.rejects(
			anew(made, machine => machine.powerOn('mover')),
			{ code: 'machine_failed' },
		);
	});

	test('somebody continues the guest in the pause: no write is lost, and the switch is carried on', async t => {
		const made = await bench(t);
		const guest = await startedGuest(made);
		await restoreTargets(made);
		const record = new SwitchRecord(made, silent(made));
		record.at = async place => {
			if (place !== 'switch.paused') return;
			record.at = async () => {};
			await made.userGuest.execute('cont');
			assert.ok(await guest.write());
		};
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			/somebody continued the guest/,
		);
		assert.equal(record.chain, 'local');
		await anew(made, machine => machine.switchToTarget(record));
		assert.ok(await guest.write());
		await anew(made, machine => machine.powerOff());
		await guest.checkContent();
	});

	test('a commit that fails leaves no guest standing that a dead supervisor had paused', async t => {
		const made = await bench(t, { ...asOurselves, disks: 1, prelude: "trap '' XFSZ" });
		await startedGuest(made);
		await restoreTargets(made);
		assert.ok(await made.guest.write(0, { offsetBytes: 3_000_832, lengthBytes: 4096, pattern: 0x77 }));
		const record = new SwitchRecord(made, silent(made));
		await diesAt(made, record, 'switch.paused');
		assert.equal(await made.userGuest.runs(), false);
		await made.userGuest.execute('job-cancel', { id: 'commit0' });
		await setLimit(made, '2500000');
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			{ code: 'io_failed' },
		);
		assert.ok(await made.userGuest.runs(), 'the guest stands still');
		await liftLimit(made);
		await anew(made, machine => machine.switchToTarget(record));
		assert.ok(await made.userGuest.runs());
		assert.equal((await made.content(0))[3_000_832], 0x77);
	});

	test('with the mark at the target no failure lets the guest write to its overlay', async t => {
		const made = await bench(t, { disks: 1 });
		await startedGuest(made);
		await restoreTargets(made);
		const record = new SwitchRecord(made, silent(made));
		await diesAt(made, record, 'switch.marked-target');
		record.at = async place => {
			if (place === 'switch.ready') await made.userGuest.execute('job-cancel', { id: 'commit0' });
		};
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			{ code: 'hypervisor_failed' },
		);
		assert.equal(await made.userGuest.runs(), false);
		record.at = async () => {};
		await anew(made, machine => machine.switchToTarget(record));
		assert.ok(await made.userGuest.runs());
	});

	test('a machine whose disks somebody exports is not switched, and its guest does not stand still for it', async t => {
		const made = await bench(t, { ...asOurselves, disks: 1 });
		const guest = await startedGuest(made);
		await restoreTargets(made);
		const addr = { type: 'unix', data: { path: join(made.directory, 'exported.sock') } };
		await made.userGuest.execute('nbd-server-start', { addr });
		await made.userGuest.execute('block-export-add', { type: 'nbd', id: 'theirs', 'node-name': 'top0' });
		const record = new SwitchRecord(made, silent(made));
		await assert.rejects(
			anew(made, machine => machine.switchToTarget(record)),
			{ code: 'precheck_failed', message: /theirs/ },
		);
		assert.ok(!record.places.includes('switch.paused'));
		assert.ok(await guest.write(), 'the guest does not run');
		await made.userGuest.execute('nbd-server-stop');
		await anew(made, machine => machine.switchToTarget(record));
		await guest.checkInGuest();
	});

	test('an offline commit left behind by a dead supervisor is ended and done again', async t => {
		const made = await bench(t);
		const guest = await startedGuest(made);
		await guest.write();
		await restoreTargets(made);
		await anew(made, machine => machine.powerOff());
		const { lock } = machinePaths(made.definition);
		const orphan = spawn('flock', ['-n', '-F', lock, 'bash', '-c', 'exec -a qemu-img sleep 600']);
		const ended = once(orphan, 'exit');
		// flock and bash hold the lock before the program itself does.
		const command = async () => readFile(`/proc/${(await lockHolder(lock))?.pid ?? 0}/cmdline`, 'utf8').catch(() => '');
		await waitFor('the orphan', async () => (await command()).startsWith('qemu-img'), { timeoutMs: 5_000 });
		assert.equal((await anew(made, machine => machine.observe())).power, 'off');
		await anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
		await ended;
		await guest.checkContent();
	});

	test('a QEMU that takes no more connections is stuck, like one that does not answer', async t => {
		const made = await bench(t, { disks: 1 });
		await startedGuest(made);
		await made.fate.freeze();
		const { supervisorMonitor } = machinePaths(made.definition);
		for (let refused = false; !refused; ) {
			const waiting = createConnection(supervisorMonitor).on('error', () => undefined);
			t.after(() => waiting.destroy());
			refused = await once(waiting, 'connect').then(
				() => false,
				() => true,
			);
		}
		await assert.rejects(
			anew(made, machine => machine.observe()),
			{ code: 'hypervisor_stuck', message: /takes no connections/ },
		);
	});

	test("an export of another size than its disk is not the machine's: no snapshot is taken of it", async t => {
		const made = await bench(t, { disks: 1 });
		await made.mover.start();
		const disks = made.definition.disks.map(disk => ({ ...disk, sizeBytes: disk.sizeBytes + 512 }));
		const other = { ...made, definition: { ...made.definition, disks } };
		await anew(other, machine => machine.makeTargets());
		await anew(other, machine => machine.create());
		const before = await made.leftovers();
		await assert.rejects(
			anew(other, machine => machine.snapshot()),
			{ code: 'mover_unreachable', message: /bytes/ },
		);
		assert.deepEqual(await made.leftovers(), before);
	});

	test('a target of another size is refused', async t => {
		const made = await bench(t);
		const [disk] = made.definition.disks;
		assert.ok(disk);
		await anew(made, machine => machine.makeTargets());
		await truncate(machinePaths(made.definition).target(disk), disk.sizeBytes - 512);
		await assert.rejects(
			anew(made, machine => machine.create()),
			{ code: 'machine_failed' },
		);
	});
});
