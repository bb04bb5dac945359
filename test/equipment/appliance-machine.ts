import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findReport, type Report } from '../../appliance/report/report.ts';
import { createVariableStore, findFirmwares } from '../../hypervisors/qemu/firmware.ts';
import { QmpClient } from '../../qmp/client.ts';
import { exists, readIfThere } from '../../system/if-there.ts';
import { runTool } from '../../system/run-tool.ts';
import { waitFor } from '../../system/wait.ts';
import { addKernelOptions } from './appliance-boot-entry.ts';
import { openShell, type Shell, shellOption } from './appliance-shell.ts';
import { type Captive, captive } from './captive.ts';

/** Emulated, on a machine that does other things too. */
const bootsMs = 900_000;
const endsMs = 300_000;

/**
 * On a busy machine the kernel finds that an emulated timer does not work, and panics:
 * https://docs.kernel.org/admin-guide/kernel-parameters.html
 */
const emulatedTimer = 'no_timer_check';

export interface ApplianceMachine {
	console: () => Promise<string>;
	/** Waits for what it says of itself. */
	report: () => Promise<Report>;
	/** Presses the power button, and waits until it is off. */
	powerOff: () => Promise<void>;
	/** Takes its power away. */
	kill: () => Promise<void>;
	/** Needs `shell`. */
	openShell: () => Promise<Shell>;
}

export interface BootOptions {
	/** The image; it is not written. */
	vhdxPath: string;
	/** What was written in an earlier boot is there again. */
	directory: string;
	mac: string;
	/** Raw. */
	seedPath?: string;
	/** The network of its card; by default it is alone in one. */
	tap?: string;
	/** With a root shell. */
	shell?: boolean;
	memoryMiB?: number;
}

/** For whoever attaches disks: bootAppliance has a monitor of its own. */
export const windowsQmp = (directory: string) => join(directory, 'windows-qmp.sock');
export const consolePath = (directory: string) => join(directory, 'console.log');

/** The appliance in QEMU, emulated, as Hyper-V's second generation has it: UEFI, and disks on four controllers of SCSI. */
export async function bootAppliance(t: Pick<TestContext, 'after'>, options: BootOptions): Promise<ApplianceMachine> {
	const { directory, vhdxPath } = options;
	await mkdir(directory, { recursive: true });
	const at = (name: string) => join(directory, name);
	const firmwares = await findFirmwares();
	await createVariableStore(at('vars.fd'), firmwares);
	if (!(await exists(at('disk.qcow2')))) {
		await makeOverlay(vhdxPath, at('disk.qcow2'));
		await addKernelOptions(t, at('disk.qcow2'), [emulatedTimer, ...(options.shell ? [shellOption] : [])]);
	}
	await rm(consolePath(directory), { force: true });
	const machine = captive(t, 'qemu-system-x86_64', machineArguments(options, firmwares[0]?.codePath ?? ''));
	const console = async () => (await readIfThere(consolePath(directory))) ?? '';
	return {
		console,
		report: async () => {
			await waitFor('the report on the console', async () => isOver(machine) || findReport(await console()), {
				timeoutMs: bootsMs,
				everyMs: 500,
			});
			const report = findReport(await console());
			if (report === undefined) throw new Error(`QEMU ended: ${machine.said()}`);
			return report;
		},
		powerOff: async () => {
			const qmp = await QmpClient.connect(at('qmp.sock'));
			try {
				await qmp.execute('system_powerdown');
			} finally {
				qmp.close();
			}
			await waitFor('the machine to be off', () => isOver(machine), { timeoutMs: endsMs, everyMs: 200 });
		},
		kill: () => machine.end('SIGKILL'),
		openShell: () => openShell(t, at('shell.sock')),
	};
}

async function makeOverlay(vhdxPath: string, path: string): Promise<void> {
	const args = ['create', '-q', '-f', 'qcow2', '-b', vhdxPath, '-F', 'vhdx', path];
	const { code, tail } = await runTool('qemu-img', args, { hint: 'apt-get install qemu-utils' });
	if (code !== 0) throw new Error(tail.join(' '));
}

function isOver({ child }: Captive): boolean {
	return child.exitCode !== null || child.signalCode !== null;
}

function machineArguments(
	{ directory, mac, seedPath, tap, memoryMiB = 1024 }: BootOptions,
	codePath: string,
): string[] {
	const at = (name: string) => join(directory, name);
	const disk = (id: string, place: string, file: string) => [
		'-drive',
		`if=none,id=${id},${file}`,
		'-device',
		`scsi-hd,drive=${id},${place},serial=${id}`,
	];
	const controllers = [0, 1, 2, 3].flatMap(number => ['-device', `virtio-scsi-pci,id=scsi${number}`]);
	const machine = '-machine q35 -accel tcg,thread=multi -cpu max -smp 2 -nodefaults -display none';
	return [
		...machine.split(' '),
		'-m',
		`${memoryMiB}`,
		'-drive',
		`if=pflash,unit=0,format=raw,readonly=on,file=${codePath}`,
		'-drive',
		`if=pflash,unit=1,format=raw,file=${at('vars.fd')}`,
		...controllers,
		...disk('system', 'bus=scsi0.0,scsi-id=0,lun=0', `format=qcow2,cache=unsafe,file=${at('disk.qcow2')}`),
		...(seedPath === undefined
			? []
			: disk('seed', 'bus=scsi3.0,scsi-id=0,lun=63', `format=raw,readonly=on,file=${seedPath}`)),
		'-netdev',
		tap === undefined ? 'user,id=net0,restrict=on' : `tap,id=net0,ifname=${tap},script=no,downscript=no`,
		'-device',
		`virtio-net-pci,netdev=net0,mac=${mac}`,
		'-chardev',
		`file,id=console,path=${consolePath(directory)}`,
		'-serial',
		'chardev:console',
		'-chardev',
		`socket,id=shell,path=${at('shell.sock')},server=on,wait=off`,
		'-serial',
		'chardev:shell',
		...[at('qmp.sock'), windowsQmp(directory)].flatMap(path => ['-qmp', `unix:${path},server=on,wait=off`]),
		'-device',
		'virtio-rng-pci',
	];
}
