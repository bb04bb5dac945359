import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import * as z from 'zod';
import { anew, gateOf } from '../../hypervisors/conformance/bench.ts';
import { handedOver } from '../../hypervisors/conformance/handed-over.ts';
import { startedGuest } from '../../hypervisors/conformance/started-guest.ts';
import { SwitchRecord } from '../../hypervisors/conformance/switch-record.ts';
import { restoreTargets } from '../../hypervisors/conformance/targets.ts';
import { findFirmwares } from '../../hypervisors/qemu/firmware.ts';
import { machinePaths } from '../../hypervisors/qemu/paths.ts';
import { createQemuPlatform } from '../../hypervisors/qemu/platform.ts';
import { waitFor } from '../../system/wait.ts';
import { makeQemuBench, type QemuBench, type QemuBenchOptions } from '../equipment/qemu-bench.ts';

const run = promisify(execFile);

async function bench(t: TestContext, options: QemuBenchOptions = {}): Promise<QemuBench> {
	const made = await makeQemuBench(options);
	t.after(() => made.dispose());
	return made;
}

async function temporary(t: TestContext): Promise<string> {
	const directory = await mkdtemp(join(tmpdir(), 'rouse-host-'));
	t.after(() => rm(directory, { recursive: true }));
	return directory;
}

async function program(directory: string, name: string, text: string): Promise<string> {
	const path = join(directory, name);
	await writeFile(path, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
	return path;
}

/** Switches it and checks the disks: whatever the hardware, the block layer below is the same. */
async function switched(made: QemuBench): Promise<void> {
	const guest = await startedGuest(made);
	await guest.write();
	await restoreTargets(made);
	await anew(made, machine => machine.switchToTarget(new SwitchRecord(made, guest)));
	await guest.checkInGuest();
	await anew(made, machine => machine.powerOff());
	await guest.checkContent();
}

suite('QEMU as it is on this host:', { concurrency: 2 }, () => {
	test('without QEMU the report says what to install', async t => {
		const directory = await temporary(t);
		const options = { cacheDirectory: directory, datastore: join(directory, 'machines') };
		const { unusable, freeBytes, memory } = await createQemuPlatform({
			...options,
			systemBinary: '/nonexistent/qemu',
		}).report();
		assert.equal(unusable?.code, 'tool_missing');
		assert.ok(freeBytes > 0 && memory.freeMiB > 0 && memory.freeMiB <= memory.totalMiB);
	});

	test('without the quorum driver there is a warning, one export is used, and the switch works', async t => {
		const directory = await temporary(t);
		const systemBinary = await program(
			directory,
			'qemu',
			'case "$*" in *format=help*) echo "Supported formats: file raw nbd";; *) exec stdbuf -oL qemu-system-x86_64 "$@";; esac',
		);
		const made = await bench(t, { options: { systemBinary } });
		assert.match((await made.platform.report()).warnings.join('\n'), /quorum/);
		await switched(made);
	});

	test('a machine with UEFI firmware has a variable store of its own, which is kept', async t => {
		const made = await bench(t, { config: { firmware: 'efi', memoryMiB: 64 } });
		const guest = await startedGuest(made);
		const { vars } = machinePaths(made.definition);
		const [firmware] = await findFirmwares();
		assert.ok(firmware);
		assert.equal((await stat(vars)).size, (await stat(firmware.varsPath)).size);
		await anew(made, machine => machine.powerOff());
		await writeFile(vars, Buffer.alloc((await stat(vars)).size, 0xff));
		await anew(made, machine => machine.create());
		assert.equal((await readFile(vars))[0], 0xff);
		await anew(made, machine => machine.powerOn('mover'));
		await guest.checkInGuest();
	});

	test('a machine with UEFI firmware is refused where there is none, before anything is made', async t => {
		const made = await bench(t, { options: { firmwares: [] }, config: { firmware: 'efi' } });
		const { config, nics } = made.definition;
		await assert.rejects(made.platform.chooseHardware({ config, nics, options: {} }), { code: 'precheck_failed' });
	});

	test('the screen is offered as RFB, and the serial console as it comes', async t => {
		const made = await bench(t, { disks: 1 });
		await startedGuest(made);
		const machine = made.platform.machine(made.definition, gateOf(made));
		t.after(() => machine.close());
		const screen = await machine.console('screen');
		t.after(() => screen.destroy());
		assert.match(String(await once(screen, 'data')), /^RFB 003\.00/);
		const serial = await machine.console('serial');
		serial.destroy();
	});

	test('a machine with virtio has a channel to an agent: nobody answers while there is none, and QEMU is not held up', async t => {
		const made = await bench(t);
		const { agent } = machinePaths(made.definition).sockets;
		await anew(made, async machine => assert.equal(await machine.agentAnswers?.(), false));
		await startedGuest(made);
		assert.ok((await stat(agent)).isSocket());
		await anew(made, async machine => assert.equal(await machine.agentAnswers?.(), false));
		const running = made.platform.machine(made.definition, gateOf(made));
		t.after(() => running.close());
		const asked = running.agentAnswers?.();
		assert.equal((await running.observe()).power, 'on'); // meanwhile
		assert.equal(await asked, false);
		await anew(made, machine => machine.powerOff());
		await assert.rejects(stat(agent), { code: 'ENOENT' });
	});

	test('a Windows guest without drivers gets SATA disks and e1000e, and is switched like any other', async t => {
		const made = await bench(t, {
			disks: 7, // one more than the board has ports
			config: { os: 'windows', clock: 'localtime', memoryMiB: 64 },
			definition: { nics: [{ mac: '52:54:00:00:00:09', network: 'lan', target: 'none' }] },
		});
		await switched(made);
	});

	test('a disk keeps its place, its serial and its sectors', async t => {
		const disk = { position: 1, serial: 'WD-1234,5', logicalSectorBytes: 512, physicalSectorBytes: 4096 } as const;
		const native = { position: 0, serial: null, logicalSectorBytes: 4096, physicalSectorBytes: 4096 } as const;
		const made = await bench(t, { config: { disks: [disk, native] } });
		await switched(made);
		await anew(made, machine => machine.powerOn('target'));
		const shown = async (device: string) => {
			const names = ['serial', 'logical_block_size', 'physical_block_size', 'bootindex', 'addr'];
			const found: unknown[] = [];
			for (const property of names)
				found.push(await made.userGuest.execute('qom-get', { path: `/machine/peripheral/${device}`, property }));
			return found;
		};
		assert.deepEqual(await shown('vd0'), ['WD-1234,5', 512, 4096, 1, 0x81]);
		assert.deepEqual(await shown('vd1'), ['', 4096, 4096, 0, 0x80]);
	});

	test('the link of a NIC is down unless it is mapped', async t => {
		const made = await bench(t, {
			definition: {
				nics: [
					{ mac: '52:54:00:00:00:01', network: 'lan', target: 'none' },
					{ mac: '52:54:00:00:00:02', network: 'dmz', target: 'user' },
				],
			},
		});
		await startedGuest(made);
		assert.deepEqual(await linksAsTheGuestSeesThem(made), [false, true]);
		await anew(made, machine => machine.reset());
		assert.deepEqual(await linksAsTheGuestSeesThem(made), [false, true]);
	});

	test('the start script runs the machine without Rouse, once', async t => {
		const made = await bench(t);
		const guest = await handedOver(made);
		await rm(made.definition.runDirectory, { recursive: true });
		const { start, log } = machinePaths(made.definition);
		const child = spawn('sh', ['-c', `exec ${start} >>${log}`], { stdio: 'inherit' });
		const ended = once(child, 'exit');
		await waitFor('the machine', () => made.userGuest.runs(), { timeoutMs: 15_000 });
		await assert.rejects(run(start), { code: 75 });
		// The supervisor finds the machine that a person started.
		assert.equal((await anew(made, machine => machine.observe())).power, 'on');
		await guest.write();
		await guest.checkInGuest();
		// After the finish a guest that powers itself off ends QEMU.
		await made.userGuest.execute('human-monitor-command', { 'command-line': 'o /w 0x604 0x2000' });
		await ended;
		await guest.checkContent();
	});
});

/** VIRTIO_NET_S_LINK_UP in the status of the device's configuration, which lies behind 20 bytes and the MAC in BAR 0. */
async function linksAsTheGuestSeesThem(made: QemuBench): Promise<boolean[]> {
	const pci = z.array(
		z.object({
			devices: z.array(
				z.object({ qdev_id: z.string(), regions: z.array(z.object({ type: z.string(), address: z.int() })) }),
			),
		}),
	);
	return waitFor(
		'the firmware to place the NICs',
		async () => {
			const devices = pci.parse(await made.userGuest.execute('query-pci')).flatMap(bus => bus.devices);
			const links: boolean[] = [];
			for (const device of devices.filter(({ qdev_id }) => /^net\d$/.test(qdev_id))) {
				const io = device.regions.find(({ type }) => type === 'io')?.address ?? -1;
				if (io <= 0) return undefined;
				const line = { 'command-line': `i /h 0x${(io + 20 + 6).toString(16)}` };
				const said = z.string().parse(await made.userGuest.execute('human-monitor-command', line));
				links.push((Number(/= (0x[0-9a-f]+)/.exec(said)?.[1]) & 1) === 1);
			}
			return links.length === 2 && links;
		},
		{ timeoutMs: 15_000 },
	);
}
