import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { copyFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { RouseError } from '../../model/errors.ts';
import { type Acceleration, cpuModel, type Variant } from './acceleration.ts';
import { bootSector, exitPort } from './boot-sector.ts';
import { qemuEnvironment, sandboxArguments } from './confinement.ts';
import { type Firmware, firmwareMissing } from './firmware.ts';
import { inRoom, type Program } from './own-room.ts';
import { type Qmp, QmpClient } from '../../qmp/client.ts';

export interface ProbeEnd {
	code: number | null;
	signal: NodeJS.Signals | null;
	/** What QEMU said on standard error. */
	said: string;
}

export interface ProbeMachineOptions {
	/** Empty, and gone when the machine is. */
	directory: string;
	systemBinary: string;
	sandbox: boolean;
	uid: number | undefined;
	variant: Variant;
	firmware: Firmware | undefined;
	accelerator: Acceleration['accelerator'];
}

/** Much more than an error takes. */
const maxSaidBytes = 64 * 1024;

/** A machine of one question. It has no sockets, and ends with this process. */
export class ProbeMachine {
	/** Resolves when it has ended. */
	readonly gone: Promise<void>;
	readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
	readonly #connection: Duplex;
	#monitor: Promise<Qmp> | undefined;
	#said = '';
	#end: ProbeEnd | undefined;

	private constructor({ command, args }: Program) {
		const child = spawn(command, args, {
			stdio: 'pipe',
			env: qemuEnvironment(),
		});
		this.#child = child;
		this.#connection = Duplex.from({ readable: child.stdout, writable: child.stdin });
		this.#connection.on('error', () => undefined); // told by the monitor
		child.stderr.setEncoding('utf8').on('data', (text: string) => {
			if (this.#said.length < maxSaidBytes) this.#said += text;
		});
		this.gone = new Promise((resolve, reject) => {
			child.once('error', cause => reject(cannotStart(cause)));
			child.once('close', (code, signal) => {
				this.#end = { code, signal, said: this.#said };
				this.#connection.destroy(); // what still waits for an answer hears of it
				resolve();
			});
		});
		this.gone.catch(() => undefined); // thrown at who asks
	}

	static async start(options: ProbeMachineOptions): Promise<ProbeMachine> {
		const { directory, uid, systemBinary } = options;
		const program = { command: systemBinary, args: await probeArguments(options) };
		// Else a QEMU whose guest hangs or is dead would outlive a process that is killed meanwhile, for ever.
		if (uid === undefined)
			return new ProbeMachine({
				command: 'setpriv',
				args: ['--pdeathsig', 'KILL', '--', systemBinary, ...program.args],
			});
		const files = (await readdir(directory)).map(name => join(directory, name));
		return new ProbeMachine(await inRoom({ uid, directories: [directory], files, endsWithParent: true }, program));
	}

	get ended(): ProbeEnd | undefined {
		return this.#end;
	}

	/** What QEMU has said, once it has said anything, or after `patienceMs`. */
	async said(patienceMs: number): Promise<string> {
		const deadline = performance.now() + patienceMs;
		while (this.#said === '' && this.#end === undefined && performance.now() < deadline) await delay(5);
		return this.#said;
	}

	monitor(timeoutMs: number): Promise<Qmp> {
		this.#monitor ??= QmpClient.over(this.#connection, 'the probe', { timeoutMs });
		return this.#monitor;
	}

	kill(): void {
		this.#child.kill('SIGKILL');
	}
}

function cannotStart(cause: Error): RouseError {
	return new RouseError('tool_missing', `setpriv, which runs a trial of KVM: ${cause.message}`, {
		hint: 'apt-get install util-linux',
		cause,
	});
}

/** Of the same make as a machine of that kind: command-line.ts. */
async function probeArguments(options: ProbeMachineOptions): Promise<string[]> {
	const { directory, sandbox, variant, firmware, accelerator } = options;
	const cpu = cpuModel({ accelerator, enlightenments: variant.enlightenments });
	return [
		sandbox ? sandboxArguments : [],
		['-accel', accelerator, '-cpu', cpu],
		['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
		['-chardev', 'stdio,id=monitor', '-mon', 'chardev=monitor,mode=control'],
		variant.firmware === 'bios' ? await biosArguments(directory) : await efiArguments(directory, firmware),
		['-device', 'virtio-blk-pci,drive=disk,id=vd0,bootindex=0'],
	].flat();
}

/** SeaBIOS does not start from a disk of a single sector. */
const diskBytes = 1024 * 1024;

async function biosArguments(directory: string): Promise<string[]> {
	const filename = join(directory, 'disk.raw');
	await writeFile(filename, Buffer.concat([bootSector()], diskBytes));
	return [
		['-machine', 'q35', '-m', '32', '-device', `isa-debug-exit,iobase=${exitPort},iosize=1`],
		blockdev({ driver: 'raw', 'node-name': 'disk', 'read-only': true, file: { driver: 'file', filename } }),
	].flat();
}

/** With 32 MiB OVMF does not get as far as a disk. */
const efiMemoryMiB = 64;

async function efiArguments(directory: string, firmware: Firmware | undefined): Promise<string[]> {
	if (firmware === undefined) throw firmwareMissing();
	const vars = join(directory, 'vars.fd');
	await copyFile(firmware.varsPath, vars);
	const flash = (name: string, filename: string, readOnly: boolean) =>
		blockdev({ driver: 'raw', 'node-name': name, 'read-only': readOnly, file: { driver: 'file', filename } });
	return [
		['-machine', 'q35,pflash0=code,pflash1=vars', '-m', String(efiMemoryMiB)],
		flash('code', firmware.codePath, true),
		flash('vars', vars, false),
		blockdev({ driver: 'null-co', 'node-name': 'disk', size: diskBytes, 'read-zeroes': true, 'read-only': true }),
	].flat();
}

function blockdev(node: Record<string, unknown>): string[] {
	return ['-blockdev', JSON.stringify(node)];
}
